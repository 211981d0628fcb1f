// Preloaded into a child process (`node --import`) that leads its own process group. Its stdin is a pipe whose
// other end only the parent holds, so it ends when the parent does, by whatever cause, and the group with it.
import { isMainThread } from "node:worker_threads";

if (isMainThread) {
  process.stdin.on("end", killGroup).on("error", killGroup).resume();
  process.stdin.unref();
}

function killGroup(): void {
  process.kill(0, "SIGKILL");
}
