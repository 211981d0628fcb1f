import { listenForActions, sayWhatWasDone } from "./lib/action.ts";

/** What pages with actions have. */

sayWhatWasDone();
listenForActions();
