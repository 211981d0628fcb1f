import { type SyncState, syncStateOf } from "./read-common.ts";
