// The one entry: starts the parts, each of which listens for what concerns it.
import { startChanges } from "./changes.js";
import { startCharts } from "./chartloader.js";
import { startEditor } from "./editor.js";
import { startKinds } from "./kinds.js";
import { startLive } from "./live.js";
import { startMap } from "./maploader.js";
import { startLogLoader } from "./logloader.js";
import { startNavigation } from "./navigation.js";
import { startRecent } from "./recent.js";
import { startSince } from "./since.js";
import { startSecrets } from "./secrets.js";
import { startTimes } from "./times.js";
import { startUi } from "./ui.js";

startTimes();
startUi();
startNavigation();
startChanges();
startCharts();
startLogLoader();
startKinds();
startLive();
startSecrets();
startRecent();
startSince();
startEditor();
startMap();
