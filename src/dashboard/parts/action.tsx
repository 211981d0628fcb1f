import type { Child } from "hono/jsx";
import { useRequestContext } from "hono/jsx-renderer";
import type { AppEnv } from "../../routes/door/context.ts";

/**
 * What an operator may do: a form whose fields become the JSON body of a request to the API, by `client/actions.ts`.
 * The API is the one door, so an action is judged, limited and logged there, whoever asks for it.
 */

type ActionProps = {
  /** The request: its method and path. */
  to: `${"POST" | "DELETE"} /api/${string}`;
  /** What the button says. */
  label: string;
  /** What is asked before it is done. */
  ask?: string;
  /** Whether the API can say first what it would do. */
  plan?: boolean;
  danger?: boolean;
  /** What its button is about, for who does not see where it stands. */
  about?: string;
  children?: Child;
};

/** The form of an action; a button that cannot be pressed for who may not do it. */
export function Action({ to, label, ask, plan, danger, about, children }: ActionProps) {
  const may = mayAct();
  return (
    <form class="action" data-action={to} data-ask={ask} data-plan={plan ? "" : undefined}>
      {may && children}
      <button
        type="submit"
        class={danger ? "danger" : undefined}
        disabled={!may}
        aria-label={about === undefined ? undefined : `${label}: ${about}`}
        title={may ? undefined : "This needs a token with the scope admin."}
      >
        {label}
      </button>
    </form>
  );
}

/** Whether who signed in may change anything. */
export function mayAct(): boolean {
  return useRequestContext<AppEnv>().var.caller?.scopes.includes("admin") ?? false;
}

/** A field that is sent as it is. */
export function Sent({ name, value }: { name: string; value: string | undefined }) {
  return value === undefined ? null : <input type="hidden" name={name} value={value} />;
}
