import { parseJson, stringifyJson } from "../../mlflow/json.ts";
import type { PassedAnswer } from "../../mlflow/pass-on.ts";
import type { Deps } from "../../relay/deps.ts";
import { withDeadline } from "../../waiting.ts";
import { withFirstIds } from "../ids.ts";
import { Refusal } from "../refusal.ts";
import { whileAway } from "../while-away.ts";
import { swapIn } from "./swap.ts";

/** What MLflow answered to a request that was passed on, as a client is to see it. */

/** An answer is held in memory to be looked into; a file never is. */
const MAX_ANSWER_BYTES = 10_000_000;

/** Whatever it is, a browser is to run nothing of it under the relay's address. */
const POLICY = "default-src 'none'; sandbox; frame-ancestors 'none'";

/**
 * A file as it arrives; anything else with the ids that were given first.
 * @throws Refusal NOT_IMPLEMENTED for an answer that is too large to be looked into, or that does not come to its end
 */
export async function answerOf(deps: Deps, { response, clean }: PassedAnswer): Promise<Response> {
  const headers = new Headers(response.headers);
  headers.set("content-security-policy", POLICY);
  // Whatever MLflow says of itself: here it was given to a token.
  headers.set("cache-control", "private, no-cache");
  const init = { status: response.status, headers };
  // MLflow sends every file as an attachment.
  if (response.body === null || headers.get("content-disposition")?.startsWith("attachment"))
    return new Response(response.body, init);
  const text = clean(await textInTime(deps, response.body));
  headers.delete("content-length");
  const json = headers.get("content-type")?.includes("json") ? parseJson(text) : undefined;
  if (typeof json !== "object" || json === null) return new Response(text, init);
  const swapped = await withFirstIds(deps, (swap) => swapIn(json, swap));
  return new Response(swapped === json ? text : stringifyJson(swapped), init);
}

async function textInTime({ config }: Deps, body: ReadableStream<Uint8Array>): Promise<string> {
  try {
    return await withDeadline(config.mlflow.timeoutMs, wholeText(body));
  } catch (error) {
    throw error instanceof Refusal ? error : whileAway("its answer broke off");
  }
}

async function wholeText(body: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > MAX_ANSWER_BYTES) throw tooLarge();
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

function tooLarge(): Refusal {
  return new Refusal(
    "NOT_IMPLEMENTED",
    `MLflow's answer has more than ${MAX_ANSWER_BYTES} bytes, which is more than passes through the relay: ask for less at once.`,
  );
}
