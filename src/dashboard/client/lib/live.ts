/**
 * Asks again and again for something that may have changed, and costs little: the tag of the last answer goes along,
 * so that the same is answered by an empty 304; what does not change is asked for less often, and a page that nobody
 * sees hardly at all.
 */

export type Pace = { shortestMs: number; longestMs: number; hiddenMs: number };

export const PACE: Pace = { shortestMs: 5_000, longestMs: 60_000, hiddenMs: 300_000 };
const SLOWER = 1.5;

/** How long to wait after an answer; all in milliseconds. */
export function nextWait(lastMs: number, saw: { changed: boolean; hidden: boolean }, pace = PACE): number {
  if (saw.hidden) return pace.hiddenMs;
  if (saw.changed) return pace.shortestMs;
  return Math.min(Math.max(lastMs, pace.shortestMs) * SLOWER, pace.longestMs);
}

export type Live = {
  /** Asks at once. */
  ask(): void;
  stop(): void;
};

type Options = { firstMs?: number; accept?: string; tag?: string | null };

/** Said on the document of every answer: whether the address was read, and if not, whether one must sign in first. */
export type Refreshed = { url: string; state: "read" | "failed" | "signed-out" };

/**
 * Watches an address with the session's cookie.
 * @param onChange has the first answer, and every one that differs from the one before
 * @param options.firstMs when to ask first
 * @param options.accept the media type that is asked for
 * @param options.tag the tag of an answer that is known already: then the first one counts only if it has another
 */
export function watch(
  url: string,
  onChange: (response: Response) => void | Promise<void>,
  { firstMs = 0, accept = "application/json", tag: known = null }: Options = {},
): Live {
  let timer = 0;
  let waitMs = PACE.shortestMs;
  let last = known;
  let isOver = false;
  let asking = false;

  const later = (changed: boolean) => {
    if (isOver) return;
    waitMs = nextWait(waitMs, { changed, hidden: document.hidden });
    timer = window.setTimeout(ask, waitMs);
  };
  const ask = async () => {
    if (asking || isOver) return;
    asking = true;
    clearTimeout(timer);
    let changed = false;
    let state: Refreshed["state"] = "failed";
    try {
      // The browser sends the tag of what it has, and makes of a 304 the answer of before.
      const response = await fetch(url, { headers: { accept }, cache: "no-cache", redirect: "manual" });
      const tag = response.headers.get("etag");
      changed = response.ok && (tag === null || tag !== last);
      if (changed) {
        await onChange(response);
        last = tag;
      }
      if (response.ok) state = "read";
      // A page sends whose session is over to where they sign in.
      else if (response.status === 401 || response.type === "opaqueredirect") state = "signed-out";
    } catch {
      // Away for a moment: the next time will do.
    }
    asking = false;
    if (!isOver) say({ url, state });
    later(changed);
  };
  const onShown = () => {
    if (!document.hidden) void ask();
  };
  document.addEventListener("visibilitychange", onShown);
  timer = window.setTimeout(ask, firstMs);
  return {
    ask: () => void ask(),
    stop: () => {
      isOver = true;
      say({ url, state: "read" });
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", onShown);
    },
  };
}

function say(detail: Refreshed): void {
  document.dispatchEvent(new CustomEvent("relay:refreshed", { detail }));
}

declare global {
  interface DocumentEventMap {
    "relay:refreshed": CustomEvent<Refreshed>;
  }
}
