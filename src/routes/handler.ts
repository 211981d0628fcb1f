import type { Context } from "hono";
import type * as z from "zod";
import type { Deps } from "../relay/deps.ts";
import type { AnswerStatus, Answers, Contract, PathNames } from "./contract.ts";
import type { AppEnv } from "./door/context.ts";

/** What a handler is by its contract. */

/** A request as its contract has it. The body is read when it is asked for, so that what is not there is said first. */
export type Asked<C extends Contract> = {
  c: Context<AppEnv>;
  relay: Deps;
  path: Readonly<Record<PathNames<C["at"]>, string>>;
  query: C extends { query: infer Q extends z.ZodRawShape } ? z.output<z.ZodObject<Q>> : unknown;
  readBody: () => Promise<C extends { body: { schema: infer S } } ? z.output<S> : unknown>;
};

/** One of several answers that a route may give. */
export class Reply<Status extends AnswerStatus, Value> {
  readonly status: Status;
  readonly value: Value;
  constructor(status: Status, value: Value) {
    this.status = status;
    this.value = value;
  }
}

type JsonStatus<A extends Answers> = {
  [Status in keyof A & AnswerStatus]: A[Status] extends { type: string } ? never : Status;
}[keyof A & AnswerStatus];

type ValueAt<A extends Answers, Status extends keyof A> = A[Status] extends { schema: infer S }
  ? z.output<S>
  : never;

type Replies<A extends Answers> = { [S in JsonStatus<A>]: Reply<S, ValueAt<A, S>> }[JsonStatus<A>];
type IsOne<Union, Member = Union> = Member extends Union ? ([Union] extends [Member] ? true : false) : never;

/** What a handler gives back: the value of its JSON answer; one of several as a `Reply`; what is not JSON as a response. */
export type Replied<A extends Answers> =
  | (IsOne<JsonStatus<A>> extends true ? ValueAt<A, JsonStatus<A>> : Replies<A>)
  | (A[keyof A] extends { schema: z.ZodType; type?: never } ? never : Response);

/** A handler for each contract. */
export type Handlers<R extends Readonly<Record<string, Contract>>> = {
  readonly [Id in keyof R]: (asked: Asked<R[Id]>) => Promise<Replied<R[Id]["answers"]>>;
};

type Keys<Value> = Value extends unknown ? keyof Value : never;
type At<Value, Key> = Value extends unknown ? (Key extends keyof Value ? Value[Key] : never) : never;
type Item<Value> = Value extends readonly (infer Inner)[] ? Inner : never;

/** The names of fields, at any depth, that a value has and its contract has not: a type may always have more. */
type Undocumented<Given, Documented> = unknown extends Documented
  ? never
  : Given extends readonly (infer Inner)[]
    ? Undocumented<Inner, Item<Documented>>
    : Given extends Response
      ? never
      : Given extends Reply<infer Status, infer Value>
        ? Undocumented<Value, Extract<Documented, Reply<Status, unknown>>["value"]>
        : Given extends object
          ? string extends Keys<Documented>
            ? never
            :
                | Exclude<keyof Given, Keys<Documented>>
                | { [K in keyof Given]-?: Undocumented<Given[K], At<Documented, K>> }[keyof Given]
          : never;

type Given<Handler> = Handler extends (...args: never) => Promise<infer Value> ? Value : never;

/** What a handler is not to have: an answer with more than its contract says, or no contract at all. */
export type Exactly<R extends Readonly<Record<string, Contract>>, H> = {
  readonly [Id in keyof H]: Id extends keyof R
    ? Without<Undocumented<Given<H[Id]>, Replied<R[Id]["answers"]>>>
    : never;
};

/** Where there are such names the compiler says them. */
type Without<Names> = [Names] extends [never] ? unknown : { undocumented: Names };
