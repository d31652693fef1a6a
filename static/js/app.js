// The one entry: starts the parts, each of which listens for what concerns it.
import { startChanges } from "./changes.js";
import { startCharts } from "./chartloader.js";
import { startEditor } from "./editor.js";
import { startFolds } from "./folds.js";
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
startFolds();
startChanges();
startCharts();
startLogLoader();
startLive();
startSecrets();
startRecent();
startSince();
startEditor();
startMap();
