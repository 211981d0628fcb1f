import { artifactsResource } from "./artifacts.ts";
import { blockedResource } from "./blocked.ts";
import { componentSchemas, type JsonSchema, reference } from "./components.ts";
import { conflictsResource } from "./conflicts.ts";
import { deadLettersResource } from "./dead-letters.ts";
import { eventsResource } from "./events.ts";
import { jobsResource } from "./jobs.ts";
import { mirrorResource } from "./mirror.ts";
import { modelRunsResource } from "./model-runs.ts";
import { observeResource } from "./observe.ts";
import type { Content, Operation, Parameter, Resource } from "./operation.ts";
import { opsResource } from "./ops.ts";
import { refusalResponses } from "./problems.ts";
import { readBackResource } from "./read-back.ts";
import { tokensResource } from "./tokens.ts";
import { trialsResource } from "./trials.ts";
import { watchesResource } from "./watches.ts";

const RESOURCES: readonly Resource[] = [
  eventsResource,
  trialsResource,
  modelRunsResource,
  mirrorResource,
  artifactsResource,
  jobsResource,
  watchesResource,
  deadLettersResource,
  blockedResource,
  conflictsResource,
  opsResource,
  readBackResource,
  tokensResource,
  observeResource,
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
export type OperationObject = {
  operationId: string;
  tags: string[];
  summary: string;
  description?: string;
  /** The scope that a token needs, or none at all. */
  security: { bearer?: string[] }[];
  parameters?: (Parameter & { required: boolean })[];
  requestBody?: { description: string; required: true; content: Record<string, Media> };
  responses: Record<string, Response | Ref>;
};
/** The part of OpenAPI 3.1 that this document uses. */
export type OpenApiDocument = ReturnType<typeof build>;

let built: OpenApiDocument | null = null;

/** The OpenAPI document of everything public. It never changes, so it is made once. */
export function openApiDocument(): OpenApiDocument {
  built ??= build();
  return built;
}

function build() {
  const schemas: Record<string, JsonSchema> = componentSchemas();
  const responses: Record<string, Response> = refusalResponses();
  return {
    openapi: "3.1.1",
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
  for (const { name, operations } of resources)
    for (const [address, operation] of Object.entries(operations)) {
      const [method = "", path = ""] = address.split(" ");
      paths[path] = { ...paths[path], [method.toLowerCase()]: operationObject(name, operation) };
    }
  return paths;
}

function operationObject(tag: string, operation: Operation): OperationObject {
  const { id, summary, description, scope, parameters, body, answers } = operation;
  return {
    operationId: id,
    tags: [tag],
    summary,
    ...(description === undefined ? {} : { description }),
    security: scope === null ? [] : [{ bearer: [scope] }],
    ...(parameters === undefined
      ? {}
      : { parameters: parameters.map((parameter) => ({ ...parameter, required: parameter.in === "path" })) }),
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
        refusalsOf(operation).map((status) => [status, { $ref: `#/components/responses/Refusal${status}` }]),
      ),
    },
  };
}

/** The statuses of problem bodies that have no answer of their own. */
function refusalsOf({ scope, body, answers, refusals = [] }: Operation): number[] {
  const ofToken = scope === null ? [] : [401, 403];
  const ofBody = body === undefined ? [] : [413, 415, 422];
  return [...new Set([...refusals, ...ofToken, ...ofBody, 500])]
    .filter((status) => !(status in answers))
    .sort();
}

function mediaOf(contents: readonly Content[]): Record<string, Media> {
  return Object.fromEntries(
    contents.map(({ type = "application/json", schema, examples }) => [
      type,
      { schema: reference(schema), ...(examples === undefined ? {} : { examples }) },
    ]),
  );
}
