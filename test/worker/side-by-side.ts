import { env } from "cloudflare:workers";
import { consume } from "../../src/relay/consume.ts";
import { invoked, messageOf, pokesOf } from "./invocations.ts";
import type { OddMlflow } from "./odd-mlflow.ts";

/** Invocations of the queue's consumer that deliver side by side, and how many calls they make at once. */

const MAX_ROUNDS = 200;

/** What delivers to it is counted while it is at it; `isRefused` tells which calls are not taken. */
export function watched(
  mlflow: OddMlflow,
  callMs: number,
  isRefused: (call: number) => boolean = () => false,
) {
  const seen = { underWay: 0, most: 0, calls: 0 };
  /** Reads of many runs at once are of no turn. */
  const isCounted = (url: string) => !url.endsWith("/search");
  const fetch = async (url: string, init: RequestInit): Promise<Response> => {
    if (!isCounted(url)) return mlflow.fetch(url, init);
    seen.most = Math.max(seen.most, ++seen.underWay);
    try {
      await scheduler.wait(callMs);
      if (isRefused(seen.calls++)) return new Response("busy", { status: 429 });
      return await mlflow.fetch(url, init);
    } finally {
      seen.underWay--;
    }
  };
  return { seen, fetch };
}

type How = {
  invocations: number;
  vars: Record<string, string>;
  /** The database of each invocation. */
  database?: () => D1Database;
  /** What passes between two rounds, as what is set of every stream. */
  passes?: string;
};

/** Delivers a model run round by round, the messages of each shared out among the invocations, until none is left. */
export async function deliverSideBySide(
  mlflow: Pick<OddMlflow, "fetch">,
  modelRunId: string,
  { invocations, vars, database = () => env.DB, passes = "next_attempt_at = 0" }: How,
): Promise<void> {
  let waiting = await pokesOf(modelRunId);
  for (let round = 0; round < MAX_ROUNDS && waiting.length > 0; round++) {
    const messages = waiting;
    waiting = [];
    await Promise.all(
      Array.from({ length: invocations }, async (_, one) => {
        const { deps, sent } = invoked(mlflow, { vars, db: database() });
        const own = messages.filter((_, n) => n % invocations === one);
        const again = (n: number) => waiting.push(...own.slice(n, n + 1));
        await consume(
          deps,
          own.map((body, n) => messageOf(body, n, () => again(n))),
        );
        waiting.push(...sent.map(({ body }) => body));
      }),
    );
    await env.DB.prepare(`update streams set ${passes}`).run();
  }
}
