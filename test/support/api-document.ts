import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { expect } from 'vitest';
import { startBroker } from './broker.ts';
import type { Broker } from './broker.ts';

type Json = Readonly<Record<string, unknown>>;

/** The parts of OpenAPI that the tests read. */
interface Example {
  readonly summary: string;
  readonly value: unknown;
  readonly 'x-request'?: {
    readonly parameters?: Readonly<Record<string, string>>;
    readonly body?: unknown;
  };
}
type Content = Readonly<
  Record<string, { readonly schema: Json; readonly examples?: Readonly<Record<string, Example>> }>
>;

export interface ApiOperation {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly security: readonly Json[];
  readonly parameters?: readonly {
    readonly name: string;
    readonly in: string;
    readonly required?: boolean;
    readonly schema: Json;
    readonly examples?: Readonly<Record<string, Example>>;
  }[];
  readonly requestBody?: { readonly content: Content };
  readonly responses: Readonly<
    Record<string, { readonly $ref?: string; readonly headers?: Json; readonly content?: Content }>
  >;
}

export interface ApiDocument {
  readonly tags: readonly { readonly name: string; readonly description: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, ApiOperation>>>>;
  readonly components: {
    readonly schemas: Readonly<
      Record<string, { readonly properties: Readonly<Record<string, { readonly enum: readonly string[] }>> }>
    >;
    readonly responses: Readonly<Record<string, unknown>>;
  };
}

export async function readApi(url: string): Promise<ApiDocument> {
  const response = await fetch(`${url}/openapi.json`);
  expect({ status: response.status, type: response.headers.get('content-type') }).toEqual({
    status: 200,
    type: 'application/json',
  });
  return (await response.json()) as ApiDocument;
}

/** Validates values against schemas in the document. The validator shares no code with what made the schemas. */
export function schemasOf(document: ApiDocument): {
  /** The faults of a value, by the schema at this place; empty when the value is valid. */
  readonly faults: (place: readonly string[], value: unknown) => readonly string[];
} {
  // The document around the schemas has keywords of OpenAPI that JSON Schema does not know, so strict mode is off.
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  addFormats.default(ajv);
  ajv.addSchema(document, 'api');
  return {
    faults: (place, value) => {
      const pointer = place.map(
        (part) => `/${encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'))}`,
      );
      const validate = ajv.getSchema(`api#${pointer.join('')}`);
      if (validate === undefined) throw new Error(`there is no schema at ${place.join(' ')}`);
      void validate(value);
      return (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
    },
  };
}

/** Starts a broker that takes and signs tokens, and reads its API document. */
export async function startDescribedBroker(publicChannels: string): Promise<{
  readonly broker: Broker;
  readonly api: ApiDocument;
  readonly schemas: ReturnType<typeof schemasOf>;
}> {
  const broker = await startBroker({
    SLUICE_JWT_SECRET: 'a secret of more than thirty-two bytes',
    SLUICE_PUBLIC_CHANNELS: publicChannels,
  });
  const api = await readApi(broker.url);
  return { broker, api, schemas: schemasOf(api) };
}
