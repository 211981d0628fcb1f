import { vi } from "vitest";

/** MLflow's artifact store as far as a hand-over asks of it, with one run in it. */
export class FakeArtifacts {
  readonly runId = crypto.randomUUID().replaceAll("-", "");
  readonly calls: string[] = [];
  isAway = false;
  isGone = false;
  /** Is done while a call is under way; a `cut` PUT leaves half of its file, and the answer of a `lost` one does not arrive. */
  during: (call: string) => Promise<unknown> = async () => undefined;
  readonly #files = new Map<string, Uint8Array>();

  get uri(): string {
    return `mlflow-artifacts:/1/${this.runId}/artifacts`;
  }

  write(path: string, text: string): void {
    this.#files.set(path, new TextEncoder().encode(text));
  }

  texts(): Record<string, string> {
    return Object.fromEntries([...this.#files].map(([path, file]) => [path, new TextDecoder().decode(file)]));
  }

  /** Does something the first time that a call is made. */
  once(at: string, what: () => Promise<unknown>): void {
    this.during = async (call) => {
      if (call !== at) return;
      this.during = async () => undefined;
      return what();
    };
  }

  /** Stands in for the global fetch; the answer undoes that. */
  standIn(): () => void {
    vi.stubGlobal("fetch", this.fetch);
    return () => void vi.unstubAllGlobals();
  }

  readonly fetch = async (url: string, { method = "GET", body }: RequestInit): Promise<Response> => {
    if (this.isAway) throw new Error("no route to host");
    const { pathname, searchParams } = new URL(url);
    const isStore = pathname.includes("/mlflow-artifacts/artifacts/");
    const sent = new Uint8Array(await new Response(body ?? null).arrayBuffer());
    const call = isStore
      ? method
      : `${method} ${pathname.replace("/api/2.0/mlflow/", "").replace(/^\//, "")}`;
    this.calls.push(call);
    const path = decodeURIComponent(pathname.split("/artifacts/").at(-1) ?? "");
    if (method === "DELETE") this.#files.delete(path);
    const word = await this.during(call);
    if (method === "PUT") this.#files.set(path, word === "cut" ? sent.slice(0, sent.length / 2) : sent);
    if (word === "lost") throw new Error("the connection was reset");
    if (isStore) return Response.json({});
    if (this.isGone) return gone(`Run '${this.runId}' not found: it is gone`);
    const asked = searchParams.get("path") ?? "";
    if (call === "GET get-artifact") return this.#download(asked);
    if (call === "GET artifacts/list") return Response.json({ root_uri: this.uri, files: this.#list(asked) });
    return Response.json({
      run: {
        info: {
          run_id: this.runId,
          experiment_id: "1",
          status: "RUNNING",
          lifecycle_stage: "active",
          artifact_uri: this.uri,
        },
        data: {},
      },
    });
  };

  #download(path: string): Response {
    const file = this.#files.get(path);
    return file
      ? new Response(file, { headers: { "content-disposition": "attachment" } })
      : gone(`No such artifact: '${path}'`);
  }

  #list(directory: string) {
    const prefix = directory === "" ? "" : `${directory}/`;
    const found = new Map<string, { path: string; is_dir: boolean; file_size?: number }>();
    for (const [path, { length }] of this.#files) {
      if (!path.startsWith(prefix)) continue;
      const [name = "", ...deeper] = path.slice(prefix.length).split("/");
      const isDir = deeper.length > 0;
      found.set(name, { path: prefix + name, is_dir: isDir, ...(isDir ? {} : { file_size: length }) });
    }
    return [...found.values()];
  }
}

function gone(message: string): Response {
  return Response.json({ error_code: "RESOURCE_DOES_NOT_EXIST", message }, { status: 404 });
}
