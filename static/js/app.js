// The one entry: starts the parts, each of which listens for what concerns it.
import { startCharts } from "./chartloader.js";
import { startKinds } from "./kinds.js";
import { startLive } from "./live.js";
import { startLogLoader } from "./logloader.js";
import { startNavigation } from "./navigation.js";
import { startParts } from "./parts.js";
import { startRecent } from "./recent.js";
import { startSince } from "./since.js";
import { startTimes } from "./times.js";
import { startUi } from "./ui.js";

startTimes();
startUi();
startNavigation();
startParts();
startCharts();
startLogLoader();
startKinds();
startLive();
startRecent();
startSince();
