import { remembered } from "../../remembered.ts";
import { artifacts } from "../artifacts/contract.ts";
import { blocked } from "../blocked/contract.ts";
import { conflicts } from "../conflicts/contract.ts";
import type { Content, Contract, RefusalStatus, Resource } from "../contract.ts";
import { curves } from "../curves/contract.ts";
import { deadLetters } from "../dead-letters/contract.ts";
import { events } from "../events/contract.ts";
import { find } from "../find/contract.ts";
import { mirror } from "../mirror/contract.ts";
import { modelRuns } from "../model-runs/contract.ts";
import { observe } from "../observe/contract.ts";
import { ops } from "../ops/contract.ts";
import { previews } from "../previews/contract.ts";
import { readBack } from "../read-back/contract.ts";
import { sync } from "../sync/contract.ts";
import { tokens } from "../tokens/contract.ts";
import { trialTables } from "../trial-table/contract.ts";
import { trials } from "../trials/contract.ts";
import { uploads } from "../uploads/contract.ts";
import { watches } from "../watches/contract.ts";
import { componentSchemas, type JsonSchema, jsonSchema, reference } from "./components.ts";
import { docs } from "./contract.ts";
import { refusalResponses } from "./refusals.ts";

const RESOURCES: readonly Resource[] = [
  events,
  trials,
  curves,
  trialTables,
  modelRuns,
  mirror,
  find,
  artifacts,
  uploads,
  previews,
  sync,
  watches,
  deadLetters,
  blocked,
  conflicts,
  ops,
  readBack,
  tokens,
  observe,
  docs,
];

type Ref = { $ref: string };
type Media = {
  schema: Ref;
  example?: unknown;
  examples?: Record<string, { summary?: string; value: unknown }>;
};
export type Response = {
  description: string;
  headers?: Record<string, object>;
  content: Record<string, Media>;
};
export type Parameter = {
  name: string;
  in: "path" | "query" | "header";
  required: boolean;
  description: string;
  schema: JsonSchema;
  example?: unknown;
};
export type OperationObject = {
  operationId: string;
  tags: string[];
  summary: string;
  description?: string;
  /** The scope that a token needs, or none at all. */
  security: { bearer?: string[] }[];
  parameters?: Parameter[];
  requestBody?: { description: string; required: true; content: Record<string, Media> };
  responses: Record<string, Response | Ref>;
};
/** The part of OpenAPI 3.1 that this document uses. */
export type OpenApiDocument = ReturnType<typeof build>;

const built = remembered<OpenApiDocument | null>(() => null);

/** The OpenAPI document of everything public. It never changes, so it is made once. */
export function openApiDocument(): OpenApiDocument {
  built.value ??= build();
  return built.value;
}

function build() {
  const schemas: Record<string, JsonSchema> = componentSchemas();
  const responses: Record<string, Response> = refusalResponses();
  return {
    openapi: "3.1.1" as const,
    info: {
      title: "Trial Relay",
      version: "1",
      description:
        "Takes trial events from ML trainers, keeps them, and brings them to MLflow. Every answer carries `X-Request-Id`; every refusal is a problem body that says which field, what it held and which rule it broke.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: "/" }],
    tags: RESOURCES.map(({ name, description }) => ({ name, description })),
    paths: pathsOf(RESOURCES),
    components: {
      securitySchemes: {
        bearer: {
          type: "http",
          scheme: "bearer",
          description:
            "Send an API token as `Authorization: Bearer <token>`. Each operation names the scope it needs: `ingest`, `read` or `admin`, which has them all.",
        },
      },
      schemas,
      responses,
    },
  };
}

function pathsOf(resources: readonly Resource[]): Record<string, Record<string, OperationObject>> {
  const paths: Record<string, Record<string, OperationObject>> = {};
  for (const { name, contracts } of resources)
    for (const [id, contract] of Object.entries(contracts)) {
      const [method = "", at = ""] = contract.at.split(" ");
      const path = at.replace(/:(\w+)(\{[^}]*\})?/g, "{$1}");
      paths[path] = { ...paths[path], [method.toLowerCase()]: operationObject(name, id, contract) };
    }
  return paths;
}

function operationObject(tag: string, operationId: string, contract: Contract): OperationObject {
  const { summary, description, scope, answers } = contract;
  const parameters = parametersOf(contract);
  const body = contract.body ? { ...contract.body, contents: [contract.body] } : contract.sent;
  return {
    operationId,
    tags: [tag],
    summary,
    ...(description === undefined ? {} : { description }),
    security: scope === null ? [] : [{ bearer: [scope] }],
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === undefined
      ? {}
      : { requestBody: { description: body.description, required: true, content: mediaOf(body.contents) } }),
    responses: {
      ...Object.fromEntries(
        Object.entries(answers).map(([status, answer]) => [
          status,
          { description: answer.description, content: mediaOf([answer]) },
        ]),
      ),
      ...Object.fromEntries(
        refusalsOf(contract).map((status) => [status, { $ref: `#/components/responses/Refusal${status}` }]),
      ),
    },
  };
}

function parametersOf({ path = {}, query = {}, headers = {} }: Contract): Parameter[] {
  return [
    ...Object.entries(path).map(([name, part]) => parameter(name, "path", { type: "string", ...part })),
    ...Object.entries(query).map(([name, schema]) => parameter(name, "query", jsonSchema(schema))),
    ...Object.entries(headers).map(([name, schema]) => parameter(name, "header", jsonSchema(schema))),
  ];
}

function parameter(name: string, where: Parameter["in"], shown: JsonSchema): Parameter {
  const { description = "", example, ...schema } = shown;
  const given = example === undefined ? {} : { example };
  return { name, in: where, required: where === "path", description, schema, ...given };
}

/** The statuses of problem bodies that have no answer of their own. */
function refusalsOf({ scope, query, body, sent, answers, refusals = [] }: Contract): number[] {
  // Who sends too much without a valid token is told so; and the database that knows the tokens may be away.
  const ofToken: RefusalStatus[] = scope === null ? [] : [401, 403, 429, 503];
  const ofQuery = query === undefined && body === undefined ? [] : [400];
  const ofBody = body === undefined && sent === undefined ? [] : [413, 415, 422];
  return [...new Set([...refusals, ...ofToken, ...ofQuery, ...ofBody, 500])]
    .filter((status) => !(status in answers))
    .sort();
}

function mediaOf(contents: readonly Content[]): Record<string, Media> {
  return Object.fromEntries(
    contents.map(({ type = "application/json", schema, examples = {} }) => [
      type,
      { schema: reference(schema), ...(Object.keys(examples).length === 0 ? {} : { examples }) },
    ]),
  );
}
