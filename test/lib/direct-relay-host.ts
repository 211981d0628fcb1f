import { readFile } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare, type V4MiniflareOptions } from "miniflare";

/**
 * The process of all relays that run without `wrangler dev`: to load Miniflare takes longer than to start a relay with it.
 * Its one argument is the path of the Unix socket to listen at. A connection is a relay: who connects says where the
 * file with Miniflare's options is, then hears the relay's log, and ends the relay by hanging up.
 */

class LogTo extends Log {
  readonly #connection: Socket;

  constructor(connection: Socket) {
    super(LogLevel.WARN);
    this.#connection = connection;
  }

  override log(message: string): void {
    say(this.#connection, message);
  }
}

function say(connection: Socket, message: string): void {
  if (connection.writable) connection.write(`${message}\n`);
}

async function run(connection: Socket): Promise<void> {
  const asked = new Promise<string>((done) => connection.once("data", (path) => done(path.toString())));
  const hungUp = new Promise<void>((done) => connection.once("end", done).once("close", () => done()));
  connection.on("error", () => {}); // whoever asked is gone
  const options: V4MiniflareOptions = JSON.parse(await readFile(await asked, "utf8"));
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      ...options,
      log: new LogTo(connection),
      handleStructuredLogs: ({ message }) => say(connection, message),
    }),
  );
  try {
    await Promise.race([hungUp, miniflare.ready.then(() => hungUp)]);
  } finally {
    await miniflare.dispose();
  }
}

createServer({ allowHalfOpen: true }, (connection) => {
  void run(connection)
    .catch((error: unknown) => say(connection, String(error)))
    .finally(() => connection.end());
}).listen(process.argv[2]);
