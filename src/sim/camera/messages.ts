import { z } from 'zod';
import type { Scene } from './scene.js';

/** What the main process tells the camera process. */
export type ToCamera = { readonly kind: 'scene'; readonly scene: Scene } | { readonly kind: 'stop' };

const plateSchema = z.object({
  text: z.string(),
  colour: z.enum(['blue', 'green', 'yellow', 'white', 'black']),
  rows: z.union([z.literal(1), z.literal(2)]),
  type: z.enum([
    'small-car', 'large-car', 'new-energy-small', 'new-energy-large', 'police', 'learner', 'trailer', 'hong-kong', 'macau', 'embassy', 'consulate',
    'military', 'armed-police', 'emergency', 'motorcycle', 'low-speed', 'temporary',
  ]),
});

const sceneSchema = z.object({
  wallMs: z.number(),
  light: z.number(),
  lanes: z.array(
    z.object({
      lane: z.string(),
      name: z.string(),
      boomPosition: z.number(),
      vehicles: z.array(
        z.object({
          id: z.string(),
          kind: z.enum(['car', 'suv', 'van', 'truck', 'truck-trailer', 'motorcycle', 'ambulance']),
          front: z.number(),
          lengthM: z.number(),
          heading: z.union([z.literal(1), z.literal(-1)]),
          lateralM: z.number(),
          paint: z.string(),
          plate: plateSchema.optional(),
          rearFirst: z.boolean(),
          // A plate left out by JSON and one that is `undefined` mean the same.
        }).transform((vehicle) => ({ ...vehicle, plate: vehicle.plate })),
      ),
    }),
  ),
});

export const toCameraSchema = z.discriminatedUnion('kind', [z.object({ kind: z.literal('scene'), scene: sceneSchema }), z.object({ kind: z.literal('stop') })]);

/** What the camera process answers: the port it listens on, once. */
export const fromCameraSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('listening'), port: z.number().int() }),
  z.object({ kind: z.literal('failed'), detail: z.string() }),
]);
export type FromCamera = z.output<typeof fromCameraSchema>;
