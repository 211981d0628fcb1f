import { ask } from "./gateway-api.ts";

/** Asks an endpoint by any method, with a JSON body where there is one. */
export function send(method: string, path: string, body?: object, how: Parameters<typeof ask>[2] = {}) {
  const init = body === undefined ? {} : { body: JSON.stringify(body) };
  return ask(path, { method, ...init, headers: { "content-type": "application/json" } }, how);
}
