import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { app } from "../../src/app.ts";
import { ADMIN } from "./api.ts";

export type Sent = {
  body?: BodyInit | undefined;
  headers?: Record<string, string> | undefined;
  bindings?: object | undefined;
};

/** A request about a trial's files, with the admin token. A body that is no stream says how long it is. */
export async function askTrial(
  trial: string,
  method: string,
  path: string,
  { body, headers, bindings }: Sent,
): Promise<Response> {
  const isWhole = typeof body === "string" || body instanceof Uint8Array;
  return app.request(
    `/api/trials/${trial}/${path}`,
    {
      method,
      headers: {
        authorization: `Bearer ${ADMIN}`,
        ...(isWhole ? { "content-length": String(body.length) } : {}),
        ...headers,
      },
      ...(body === undefined ? {} : { body }),
    },
    { ...env, ...bindings },
    createExecutionContext(),
  );
}
