import { env } from "cloudflare:workers";

const NO_HEADERS = new Headers();

/** Has D1's own client ask the database of the tests in place of Miniflare's. */
export function useTestDatabase(): void {
  const fetch = async (url: string, { body }: { body: string }) => {
    const server = env.TEST_DATABASE.getByName("the only one");
    const text = await server.query(body, url.endsWith("=ROWS_AND_COLUMNS"));
    return { headers: NO_HEADERS, text: async () => text };
  };
  const session: unknown = Reflect.get(env.DB, "alwaysPrimarySession");
  if (typeof session !== "object" || session === null || !("fetcher" in session))
    throw new Error("D1's client does not ask by its session's fetcher any more");
  session.fetcher = { fetch };
}
