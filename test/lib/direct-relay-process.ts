import { readFile } from "node:fs/promises";
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare, type V4MiniflareOptions } from "miniflare";

/** The process of a relay that runs without `wrangler dev`; its one argument is the file with Miniflare's options. */
const options: V4MiniflareOptions = JSON.parse(await readFile(process.argv[2] ?? "", "utf8"));

const miniflare = new Miniflare(
  convertV4MiniflareOptions({
    ...options,
    log: new Log(LogLevel.WARN),
    handleStructuredLogs: ({ message }) => console.log(message),
  }),
);
process.once("SIGTERM", () => void miniflare.dispose().finally(() => process.exit()));
await miniflare.ready;
