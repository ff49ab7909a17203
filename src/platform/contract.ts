import { z } from 'zod';
import type { JsonObject, JsonValue } from '../base/index.js';
import { toJson, toJsonObject } from '../base/index.js';
import {
  ackMessageSchema,
  commandMessageSchema,
  configReportSchema,
  desiredConfigSchema,
  eventMessageSchema,
  fullListPartSchema,
  listDeltaSchema,
  listReportSchema,
  replyMessageSchema,
  statusMessageSchema,
  telemetryMessageSchema,
  topicOf,
  type DownTopic,
  type PhotographTopic,
  type UpTopic,
} from '../uplink/index.js';
import { commandCodes, configCodes, listCodes } from './codes.js';
import { eventPayloads } from './event-payloads.js';
import { examples } from './examples.js';

interface Message {
  readonly title: string;
  readonly summary: string;
  readonly schema: z.ZodType;
  readonly examples: readonly (readonly [string, unknown])[];
  /** Codes it may carry. */
  readonly codes?: Readonly<Record<string, string>>;
  /** Place of what names the exchange, for a platform that matches answers. */
  readonly correlation?: string;
  /** What it is where it is not JSON as text. */
  readonly as?: 'json' | 'gzip' | 'jpeg';
}

interface Topic {
  readonly direction: 'up' | 'down';
  readonly qos: 0 | 1;
  readonly retain: boolean;
  readonly summary: string;
  readonly description: string;
  readonly messages: Readonly<Record<string, Message>>;
  /** Where it is answered. */
  readonly reply?: 'reply' | 'list/report' | 'config/report';
}

const eventMessage: Omit<Message, 'examples'> = {
  title: 'Events',
  summary: 'One or several events, in order of their numbers.',
  schema: eventMessageSchema,
};

const photographSchema = z.string().meta({ format: 'binary', description: 'the bytes of a JPEG file' });

/** Every topic of a gate; typed so that none is missing. */
const topics: Readonly<Record<Exclude<UpTopic, PhotographTopic> | 'evidence/{id}' | DownTopic, Topic>> = {
  status: {
    direction: 'up',
    qos: 1,
    retain: true,
    summary: 'Whether the gate is there, and how its lanes are.',
    description: 'Published on connecting and whenever a lane changes. The `offline` form with reason `lost` is the last will.',
    messages: {
      status: { title: 'Status', summary: 'Birth, or death.', schema: statusMessageSchema, examples: [['online', examples.online], ['last will', examples.offline]] },
    },
  },
  event: {
    direction: 'up',
    qos: 1,
    retain: false,
    summary: 'Everything that happens at the gate.',
    description:
      'Live events go before backlog; each of the two runs in order of `seq`. What the platform has not acknowledged is sent again, so an event may come more than once: `id` is the key against doubles. ' +
      'Two different events never share an id, and `hash` and `previousHash` make one chain of all events of a gate. Numbers in `lost` never come. ' +
      'A gate whose memory card was changed begins at `seq` 1 again under a higher epoch, with a `gate.started` whose `journal` is `new` and whose `previousHash` is 64 zeros: a new book, not a gap.',
    messages: {
      event: { ...eventMessage, examples: [['live', examples.event], ['backlog', examples.backlog]] },
      eventCompressed: {
        ...eventMessage,
        title: 'Events, compressed',
        summary: 'The same as a gzip file (RFC 1952), for platforms whose `ack` accepts `gzip`, where it is 1,024 bytes or more. It begins with the bytes 1f 8b, as no JSON does; MQTT 5 names it in the content type too. The schema is that of the unpacked text.',
        examples: [],
        as: 'gzip',
      },
    },
  },
  ack: {
    direction: 'down',
    qos: 1,
    retain: false,
    summary: 'The platform has all events up to this number.',
    description: 'Sent only for what is durable at the platform, and without a hole below. The gate lets go of what is acknowledged. `accepts` holds until an acknowledgement says otherwise or the connection ends.',
    messages: { ack: { title: 'Acknowledgement', summary: 'Everything up to `seq` is ingested.', schema: ackMessageSchema, examples: [['with gzip', examples.ack]] } },
  },
  telemetry: {
    direction: 'up',
    qos: 0,
    retain: false,
    summary: 'Health of the gate, now and then.',
    description: 'Never stored and never sent again.',
    messages: { telemetry: { title: 'Telemetry', summary: 'How the gate is now.', schema: telemetryMessageSchema, examples: [['quiet', examples.telemetry]] } },
  },
  'evidence/{id}': {
    direction: 'up',
    qos: 1,
    retain: false,
    summary: 'A photograph.',
    description:
      'Sent after the platform has acknowledged the `passage.photographed` event that names it, one at a time, no faster than the gate is told to, and only where `uplink.photographs` of its configuration asks for it. Not acknowledged by the platform: a photograph that the broker has taken is not sent again, but for the last one before a restart.',
    messages: { photograph: { title: 'Photograph', summary: 'JPEG. Its name, the last part of the topic, is the SHA-256 of these bytes in hexadecimal, as in the event.', schema: photographSchema, as: 'jpeg', examples: [] } },
  },
  command: {
    direction: 'down',
    qos: 1,
    retain: false,
    summary: 'What a lane shall do.',
    description: 'Acts at most once, never after its expiry and never from a retained message. The same command again gets the same answer. Answered on `reply`, with the correlation data of MQTT 5 where there were any.',
    reply: 'reply',
    messages: {
      command: {
        title: 'Command',
        summary: 'Names a target state of one lane. The signature of the example is true for topic laurel/v1/laurel/east/command and the public key of the first test vector of RFC 8032.',
        schema: commandMessageSchema,
        correlation: '$message.payload#/id',
        examples: [['signed', examples.command]],
      },
    },
  },
  reply: {
    direction: 'up',
    qos: 1,
    retain: false,
    summary: 'What became of a command.',
    description: '`accepted` first, then exactly one of `done`, `failed`, `refused`; `refused` may come at once.',
    messages: {
      reply: { title: 'Reply', summary: 'One step of a command.', schema: replyMessageSchema, correlation: '$message.payload#/id', codes: commandCodes, examples: [['accepted', examples.accepted], ['refused', examples.refused]] },
    },
  },
  list: {
    direction: 'down',
    qos: 1,
    retain: false,
    summary: 'Who may pass: residents, visitors, blocked plates.',
    description:
      'A version is in force as a whole once its digest is proved. The digest: each entry as it was sent, in the form of RFC 8785, one a line, each line ended by U+000A, lines sorted by key (household/{id}, visitor/{id}, blocked/{plate}) in UTF-16 code units; SHA-256 of that text, hexadecimal. Answered on `list/report`; a version below the one in force changes nothing, and is answered with what is held.',
    reply: 'list/report',
    messages: {
      listPart: { title: 'Part of a full list', summary: 'Parts may come in any order, and more than once.', schema: fullListPartSchema, examples: [['one part', examples.list]] },
      listDelta: { title: 'Change of a list', summary: 'From one version to another.', schema: listDeltaSchema, examples: [['a pass goes', examples.delta]] },
    },
  },
  'list/report': {
    direction: 'up',
    qos: 1,
    retain: true,
    summary: 'Which list is in force, what was wrong with the last one, and what guards have changed.',
    description: 'Published on connecting, whenever a list was put in force or refused, and when one below the version in force came: a platform restored from a backup finds in `held` what to go on from, with a version above. Edits of one plate and subject are ordered by the `epoch` and `seq` of their `list.edited` events; a report names the newest alone, and may come before events of older ones, which count no more.',
    messages: { listReport: { title: 'Report of lists', summary: 'The list in force.', schema: listReportSchema, codes: listCodes, examples: [['in force', examples.listReport]] } },
  },
  config: {
    direction: 'down',
    qos: 1,
    retain: false,
    summary: 'The configuration the gate shall have.',
    description: 'A target state, at most 240 KiB, checked as files are, tried, and given back by the gate itself where it does not prove itself. The platform may retain it: one that failed is not tried again under the same version. One that still waits for quiet lanes gives way to a newer one, and is told as refused. Answered on `config/report`.',
    reply: 'config/report',
    messages: { config: { title: 'Desired configuration', summary: "Settings over the technician's file, or in its place.", schema: desiredConfigSchema, correlation: '$message.payload#/id', examples: [['settings', examples.config]] } },
  },
  'config/report': {
    direction: 'up',
    qos: 1,
    retain: true,
    summary: 'Which configuration is in force, which is on trial, and how the last one ended.',
    description: 'Published on connecting and at every change.',
    messages: { configReport: { title: 'Report of the configuration', summary: 'What is in force.', schema: configReportSchema, codes: configCodes, examples: [['applied', examples.configReport]] } },
  },
};

const CONTENT_TYPES = { json: 'application/json', gzip: 'application/json+gzip', jpeg: 'image/jpeg' } as const;

/** `list/report` as a key of the document. */
function keyOf(topic: string): string {
  return topic.replaceAll(/[{}]/gu, '').replaceAll(/\/(\w)/gu, (_, letter: string) => letter.toUpperCase());
}

function titleOf(name: string): string {
  return `${name.charAt(0).toUpperCase()}${name.slice(1)}`;
}

function isRecord(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * JSON Schema draft 7, as AsyncAPI 3.0 has it. Receivers ignore properties they do not know, so none is forbidden. The only
 * definition zod shares is any JSON value, which draft 7 writes as an empty schema.
 */
function schemaOf(schema: z.ZodType): JsonObject {
  const { $schema: _dialect, definitions: _anyJson, ...made } = toJsonObject(z.toJSONSchema(schema, { target: 'draft-7', io: 'input' }));
  const plain = (value: JsonValue): JsonValue => {
    if (Array.isArray(value)) return value.map(plain);
    if (!isRecord(value)) return value;
    if ('$ref' in value) return {};
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
  };
  const done = plain(made);
  return isRecord(done) ? done : {};
}

/** The message of events, with what each type of event carries. */
function eventSchemaOf(schema: z.ZodType): JsonObject {
  const made = schemaOf(schema);
  const properties = isRecord(made['properties']) ? made['properties'] : {};
  const events = isRecord(properties['events']) ? properties['events'] : {};
  return { ...made, properties: { ...properties, events: { ...events, items: { $ref: '#/components/schemas/Event' } } } };
}

function eventComponent(): JsonObject {
  const item = schemaOf(eventMessageSchema.shape.events.element);
  return {
    ...item,
    allOf: Object.keys(eventPayloads).map((type) => ({
      if: { properties: { type: { const: type } }, required: ['type'], not: { required: ['reduced'] } },
      then: { properties: { payload: { $ref: `#/components/schemas/payload.${type}` } } },
    })),
  };
}

function codeTable(codes: Readonly<Record<string, string>>): string {
  return ['| code | meaning |', '|---|---|', ...Object.entries(codes).map(([code, meaning]) => `| \`${code}\` | ${meaning} |`)].join('\n');
}

function messageOf(name: string, { title, summary, schema, examples: shown, codes, correlation, as = 'json' }: Message): JsonObject {
  return {
    name,
    title,
    summary,
    ...(codes === undefined ? {} : { description: `Codes:\n\n${codeTable(codes)}\n\nReceivers take any other code as a failure whose reason is for people.`, 'x-codes': { ...codes } }),
    contentType: CONTENT_TYPES[as],
    ...(correlation === undefined ? {} : { correlationId: { location: correlation } }),
    payload: { $ref: `#/components/schemas/${titleOf(schema === eventMessageSchema ? 'event' : name)}Message` },
    bindings: { mqtt: { bindingVersion: '0.2.0', payloadFormatIndicator: as === 'json' ? 1 : 0, contentType: CONTENT_TYPES[as] } },
    ...(shown.length === 0 ? {} : { examples: shown.map(([label, payload]) => ({ name: label, payload: toJson(payload) })) }),
  };
}

function operationOf(name: string, { direction, qos, retain, summary, messages, reply }: Topic): JsonObject {
  const channel = keyOf(name);
  const refs = (topic: string, names: Readonly<Record<string, unknown>>): JsonObject[] => Object.keys(names).map((message) => ({ $ref: `#/channels/${topic}/messages/${message}` }));
  return {
    action: direction === 'up' ? 'send' : 'receive',
    channel: { $ref: `#/channels/${channel}` },
    summary,
    messages: refs(channel, messages),
    // The retain flag of what the gate receives is the platform's; for commands and lists it has to be off.
    bindings: { mqtt: { bindingVersion: '0.2.0', qos, ...(name === 'config' ? {} : { retain }) } },
    ...(reply === undefined ? {} : { reply: { channel: { $ref: `#/channels/${keyOf(reply)}` }, messages: refs(keyOf(reply), topics[reply].messages) } }),
  };
}

const parameters = {
  site: { description: 'id of the site, `site.id` of the configuration' },
  gate: { description: 'id of the gate at its site, `gate.id` of the configuration' },
};

/**
 * The contract between gate and platform as an AsyncAPI 3.0 document, made from the schemas that check the messages. It is
 * written from the gate's side: it sends what goes up and receives what comes down.
 * @param version of this software
 */
export function contractDocument(version: string): JsonObject {
  const all = Object.entries(topics);
  const schemas = new Map<string, JsonObject>();
  for (const [, { messages }] of all) {
    for (const [name, { schema }] of Object.entries(messages)) {
      if (schema !== eventMessageSchema) schemas.set(`${titleOf(name)}Message`, schemaOf(schema));
    }
  }
  schemas.set('EventMessage', eventSchemaOf(eventMessageSchema));
  schemas.set('Event', eventComponent());
  for (const [type, schema] of Object.entries(eventPayloads)) schemas.set(`payload.${type}`, schemaOf(schema));
  return {
    asyncapi: '3.0.0',
    id: 'urn:laurel-gate:v1',
    info: {
      title: 'Laurel Gate',
      version,
      description:
        'What a gate and its platform say to each other over MQTT 5 (3.1.1 for platforms that have only that; everything needed is in the JSON). Written from the gate: it sends what is named send.\n\n' +
        'JSON in UTF-8 throughout. Receivers ignore properties they do not know. Times are ms since 1970 UTC as the gate believes, or ISO 8601 with an offset.',
      license: { name: 'Apache-2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' },
    },
    defaultContentType: 'application/json',
    servers: {
      broker: {
        host: 'broker.example.org:8883',
        protocol: 'secure-mqtt',
        protocolVersion: '5.0',
        description: "The site's own broker, `uplink.broker` of the configuration; TLS 1.2 or newer with a client certificate or a password. Plain MQTT is spoken on request.",
        bindings: {
          mqtt: {
            bindingVersion: '0.2.0',
            clientId: 'laurel-{site}-{gate}',
            cleanSession: true,
            lastWill: { topic: topicOf('{site}', '{gate}', 'status'), qos: 1, message: JSON.stringify(examples.offline), retain: true },
            sessionExpiryInterval: 0,
          },
        },
      },
    },
    channels: Object.fromEntries(
      all.map(([name, topic]) => [
        keyOf(name),
        {
          address: `laurel/v1/{site}/{gate}/${name}`,
          title: name,
          summary: topic.summary,
          description: `${topic.description}\n\n${topic.direction === 'up' ? 'From the gate.' : 'From the platform.'} QoS ${topic.qos}, ${topic.retain ? 'retained' : name === 'config' ? 'retained or not' : 'not retained'}.`,
          parameters: name.includes('{id}') ? { ...parameters, id: { description: 'SHA-256 of the photograph, hexadecimal' } } : parameters,
          messages: Object.fromEntries(Object.keys(topic.messages).map((message) => [message, { $ref: `#/components/messages/${message}` }])),
        },
      ]),
    ),
    operations: Object.fromEntries(all.map(([name, topic]) => [`${topic.direction === 'up' ? 'send' : 'receive'}${titleOf(keyOf(name))}`, operationOf(name, topic)])),
    components: {
      messages: Object.fromEntries(all.flatMap(([, { messages }]) => Object.entries(messages).map(([name, message]) => [name, messageOf(name, message)]))),
      schemas: Object.fromEntries(schemas),
    },
  };
}
