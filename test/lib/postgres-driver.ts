import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { withLock } from "../../scripts/lib/lock.ts";
import { ensureMlflow } from "../../scripts/lib/mlflow-install.ts";
import { ROOT } from "../../scripts/lib/wrangler.ts";

const REQUIREMENTS = join(ROOT, "requirements", "postgres.txt");

/** Installs the driver beside MLflow, once: `npm start` has no use for it. */
export async function ensurePostgresDriver(): Promise<void> {
  const python = await ensureMlflow("3");
  const marker = join(dirname(dirname(python)), "postgres.txt");
  const wanted = await readFile(REQUIREMENTS, "utf8");
  const isInstalled = async () => (await readFile(marker, "utf8").catch(() => null)) === wanted;
  await withLock(
    `${marker}.lock`,
    async () => {
      if (await isInstalled()) return;
      const quietly = ["--disable-pip-version-check", "--quiet"];
      await promisify(execFile)(python, ["-m", "pip", "install", ...quietly, "-r", REQUIREMENTS]);
      await writeFile(marker, wanted);
    },
    () => {},
  );
}
