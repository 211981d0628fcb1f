import { listFilesOf } from "./trial/files.ts";
import { listenForVerify } from "./trial/verify.ts";

/** What a trial's page has beside its curves. */

listenForVerify();
const files = document.querySelector<HTMLElement>("#files[data-trial]");
if (files) listFilesOf(files);
