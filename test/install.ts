import { installBeside } from "./lib/beside-mlflow.ts";

/** Installs beforehand what tests otherwise install when they come to it, in the order in which they do. */

await installBeside("3", "postgres");
await installBeside("3", "clients");
await installBeside("2", "clients");
