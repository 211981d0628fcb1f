import type { Refreshed } from "./live.ts";

/** Says when something of the page could not be refreshed, until it was. */
export function sayWhatIsStale(): void {
  const states = new Map<string, Refreshed["state"]>();
  const note = document.createElement("p");
  note.className = "stale";
  note.setAttribute("role", "status");
  document.body.append(note);
  let said: Refreshed["state"] = "read";
  document.addEventListener("relay:refreshed", ({ detail: { url, state } }) => {
    states.set(url, state);
    const all = [...states.values()];
    const worst = (["signed-out", "failed"] as const).find((one) => all.includes(one)) ?? "read";
    if (worst === said) return;
    said = worst;
    note.replaceChildren(...WORDS[worst]());
  });
}

const WORDS: Record<Refreshed["state"], () => (string | Node)[]> = {
  read: () => [],
  failed: () => ["This page could not be refreshed. It is tried again by itself."],
  "signed-out": () => ["You are not signed in any more. ", signIn()],
};

/** The address of the page itself: where that asks who one is, one comes back to it. */
function signIn(): Node {
  return Object.assign(document.createElement("a"), { href: "", textContent: "Sign in" });
}
