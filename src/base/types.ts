/** A lane's identifier from the configuration, e.g. `entry`. */
export type LaneId = string;
/** A passage: one vehicle's stay in a lane; unique per gate, given by the lane's runner. */
export type PassageId = string;

export type JsonValue = string | number | boolean | null | readonly JsonValue[] | { readonly [key: string]: JsonValue };
export type JsonObject = Readonly<Record<string, JsonValue>>;

/**
 * What a wired input is known to say. `unknown`: not read yet or its bus does not answer; `fault`: the detector itself
 * reports a fault. Safety treats both as occupied.
 */
export type SignalState = 'on' | 'off' | 'unknown' | 'fault';

/**
 * What has to be done with a lane's contacts when nobody watches it any more. `release`: all of them off. `raise`: all
 * off, then the boom is raised. `hold`: the OPEN contact is energised and stays so, all others off.
 */
export type LastWill = 'release' | 'raise' | 'hold';

/** A point in a picture, pixels, x to the right, y down. */
export type Point = readonly [number, number];
/** Plate corners as read: top left, top right, bottom right, bottom left. */
export type Quad = readonly [Point, Point, Point, Point];
