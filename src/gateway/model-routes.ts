import type { Context } from "hono";
import type { Scope } from "../domain/words.ts";
import type { AppEnv } from "../routes/door/context.ts";
import { listArtifacts } from "./artifacts.ts";
import { finalizeModel, getModel, makeModel, setModel } from "./models.ts";
import { readModelDirectory } from "./requests/artifacts.ts";
import { readCreateModel, readFinalizeModel, readModelParams, readModelTags } from "./requests/models.ts";
import { readSearchModels } from "./requests/search-models.ts";
import { bodyOf, type GatewayRoute, post, search } from "./route.ts";
import { searchModels } from "./search-models.ts";

/** What is answered of logged models, which stand in the address by their ids. */

type Asked = { c: Context<AppEnv>; id: string };

function model(
  method: "GET" | "POST" | "PATCH" | "DELETE",
  rest: string,
  answer: (asked: Asked) => Promise<object>,
): GatewayRoute {
  const scope: Scope = method === "GET" ? "read" : "ingest";
  return {
    methods: [method],
    path: `/2.0/mlflow/logged-models/:id${rest}`,
    scope,
    answer: (c) => answer({ c, id: c.req.param("id") ?? "" }),
  };
}

/** The same where an empty object says that it was taken. */
function take(
  method: "POST" | "PATCH" | "DELETE",
  rest: string,
  write: (asked: Asked) => Promise<void>,
): GatewayRoute {
  return model(method, rest, async (asked) => {
    await write(asked);
    return {};
  });
}

export const MODEL_ROUTES: readonly GatewayRoute[] = [
  post("logged-models", readCreateModel, makeModel),
  search("logged-models/search", readSearchModels, searchModels),
  model("GET", "", ({ c, id }) =>
    getModel(c.var.relay, { id, allowDeleted: c.req.query("allow_deleted")?.toLowerCase() === "true" }),
  ),
  model("PATCH", "", async ({ c, id }) =>
    finalizeModel(c.var.relay, { id, ...readFinalizeModel(await bodyOf(c)) }),
  ),
  model("GET", "/artifacts/directories", ({ c, id }) =>
    listArtifacts({ c, place: readModelDirectory(id, new URL(c.req.url).searchParams) }),
  ),
  take("DELETE", "", ({ c, id }) => setModel(c.var.relay, id, { kind: "delete" })),
  take("PATCH", "/tags", async ({ c, id }) =>
    setModel(c.var.relay, id, { kind: "tags", tags: readModelTags(await bodyOf(c)) }),
  ),
  take("DELETE", "/tags/:key{.+}", ({ c, id }) =>
    setModel(c.var.relay, id, { kind: "untag", key: c.req.param("key") ?? "" }),
  ),
  take("POST", "/params", async ({ c, id }) =>
    setModel(c.var.relay, id, { kind: "params", params: readModelParams(await bodyOf(c)) }),
  ),
];
