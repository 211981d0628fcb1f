import { connect } from "node:net";

/**
 * Stands for the process of a relay that `direct-relay-host.ts` runs: prints its log, ends it when asked to or killed,
 * and ends when it does. Arguments: the path of the host's socket, and of the file with the relay's options.
 */

const [, , host = "", options = ""] = process.argv;
const relay = connect(host, () => relay.write(options));
relay.pipe(process.stdout);
process.once("SIGTERM", () => relay.end());
relay.once("close", () => process.exit());
