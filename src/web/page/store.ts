import { useEffect, useReducer, useRef } from 'preact/hooks';
import { liveSchema, type EventData, type LaneData, type StatusData, type TrackData, type WorldData } from '../messages.js';
import { fetchEvents, fetchStatus, Refusal } from './client.js';

export interface SeenTrack {
  readonly track: TrackData;
  readonly seenAtMs: number;
}

/** Everything the page shows of the gate. */
export interface GateState {
  readonly connection: 'loading' | 'live' | 'lost';
  readonly status: StatusData | undefined;
  readonly lanes: readonly LaneData[];
  /** Newest first, no gaps at the top. */
  readonly events: readonly EventData[];
  readonly tracks: Readonly<Record<string, SeenTrack>>;
  readonly worlds: Readonly<Record<string, WorldData>>;
}

type Change =
  | { readonly kind: 'lost' }
  | { readonly kind: 'loaded'; readonly status: StatusData; readonly events: readonly EventData[] }
  | { readonly kind: 'status'; readonly status: StatusData }
  | { readonly kind: 'outbox'; readonly head: number; readonly acknowledged: number }
  | { readonly kind: 'older'; readonly events: readonly EventData[] }
  | { readonly kind: 'lane'; readonly lane: LaneData }
  | { readonly kind: 'event'; readonly event: EventData }
  | { readonly kind: 'track'; readonly track: TrackData; readonly atMs: number }
  | { readonly kind: 'world'; readonly world: WorldData };

/** More rows help nobody on a live page; older ones are asked for when wanted. */
const mostEvents = 400;
const firstEvents = 80;
const statusEveryMs = 2_000;

/** Less sure reads are as likely a shadow or a sign, and no guard is helped by them. */
export const leastShown = 0.3;
/** A plate not seen again for so long gives its place to another. */
const trackKeptMs = 700;

function plateWidth({ corners }: TrackData): number {
  const xs = corners.map(([x]) => x);
  return Math.max(...xs) - Math.min(...xs);
}

/** Of several plates in one picture the frame goes to the nearest that was read. */
function nearest(known: SeenTrack | undefined, seen: SeenTrack): SeenTrack {
  if (known === undefined || known.track.track === seen.track.track || known.track.ended || seen.seenAtMs - known.seenAtMs > trackKeptMs) return seen;
  if (seen.track.ended) return known;
  const read = (track: TrackData): number => ((track.vote?.confidence ?? 0) < leastShown ? 0 : 1);
  const better = read(seen.track) - read(known.track) || plateWidth(seen.track) - plateWidth(known.track);
  return better > 0 ? seen : known;
}

const empty: GateState = { connection: 'loading', status: undefined, lanes: [], events: [], tracks: {}, worlds: {} };

function merge(events: readonly EventData[], more: readonly EventData[], most: number): readonly EventData[] {
  const bySeq = new Map<number, EventData>();
  for (const event of [...events, ...more]) bySeq.set(event.seq, event);
  return [...bySeq.values()].sort((one, other) => other.seq - one.seq).slice(0, most);
}

function reduce(state: GateState, change: Change): GateState {
  switch (change.kind) {
    case 'lost':
      return { ...state, connection: state.connection === 'loading' ? 'loading' : 'lost' };
    case 'loaded':
      return {
        ...state,
        connection: 'live',
        status: change.status,
        lanes: change.status.lanes,
        events: merge(state.events, change.events, mostEvents),
      };
    case 'status':
      // Lanes come over the live feed, which is newer than any answer on its way.
      return { ...state, status: change.status };
    case 'outbox':
      return state.status === undefined ? state : { ...state, status: { ...state.status, journal: { head: change.head, acknowledged: change.acknowledged } } };
    case 'older':
      return { ...state, events: merge(state.events, change.events, state.events.length + change.events.length) };
    case 'lane':
      return {
        ...state,
        lanes: state.lanes.some((lane) => lane.lane === change.lane.lane)
          ? state.lanes.map((lane) => (lane.lane === change.lane.lane ? change.lane : lane))
          : [...state.lanes, change.lane],
      };
    case 'event':
      return { ...state, events: merge(state.events, [change.event], Math.max(mostEvents, state.events.length)) };
    case 'track':
      return { ...state, tracks: { ...state.tracks, [change.track.lane]: nearest(state.tracks[change.track.lane], { track: change.track, seenAtMs: change.atMs }) } };
    case 'world':
      return { ...state, worlds: { ...state.worlds, [change.world.lane]: change.world } };
  }
}

function changeOf(text: unknown): Change | undefined {
  if (typeof text !== 'string') return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const parsed = liveSchema.safeParse(value);
  if (!parsed.success) return undefined;
  const message = parsed.data;
  switch (message.kind) {
    case 'lane':
      return { kind: 'lane', lane: message };
    case 'event':
      return { kind: 'event', event: message };
    case 'track':
      return { kind: 'track', track: message, atMs: performance.now() };
    case 'world':
      return { kind: 'world', world: message };
    case 'status':
      return { kind: 'status', status: message };
    case 'outbox':
      return message;
  }
}

/**
 * Follows the gate while `watching`: opens the live feed first, then loads, so that nothing falls between; on a loss it
 * comes back by itself, sooner at first.
 * @param onSignedOut called when the gate no longer knows this browser
 */
export function useGate(watching: boolean, onSignedOut: () => void): { readonly state: GateState; readonly loadOlder: (lane: string | undefined) => Promise<void> } {
  const [state, dispatch] = useReducer(reduce, empty);
  const signedOut = useRef(onSignedOut);
  signedOut.current = onSignedOut;

  useEffect(() => {
    if (!watching) return undefined;
    let ended = false;
    let socket: WebSocket | undefined;
    let retry: number | undefined;
    let losses = 0;

    const failed = (cause: unknown): void => {
      if (cause instanceof Refusal && cause.code === 'HTTP_UNAUTHENTICATED') signedOut.current();
      else socket?.close();
    };
    const load = async (): Promise<void> => {
      const [status, events] = await Promise.all([fetchStatus(), fetchEvents({ limit: firstEvents })]);
      dispatch({ kind: 'loaded', status, events });
      losses = 0;
    };
    const connect = (): void => {
      if (ended) return;
      socket = new WebSocket(`${window.location.protocol === 'https:' ? 'wss' : 'ws'}://${window.location.host}/api/live`);
      socket.onopen = () => void load().catch(failed);
      socket.onmessage = (message) => {
        const change = changeOf(message.data);
        if (change !== undefined) dispatch(change);
        // The events before it have got their true times.
        if (change?.kind === 'event' && change.event.type === 'clock.trusted') load().catch(failed);
      };
      socket.onclose = () => {
        if (ended) return;
        dispatch({ kind: 'lost' });
        losses += 1;
        retry = window.setTimeout(connect, Math.min(8_000, 400 * 2 ** losses));
        // A closed feed says nothing of its reason; the interface does.
        fetchStatus().catch((cause: unknown) => {
          if (cause instanceof Refusal && cause.code === 'HTTP_UNAUTHENTICATED') signedOut.current();
        });
      };
    };
    connect();
    const refresh = window.setInterval(() => {
      if (document.visibilityState !== 'visible' || socket?.readyState !== WebSocket.OPEN) return;
      fetchStatus()
        .then((status) => dispatch({ kind: 'status', status }))
        .catch(failed);
    }, statusEveryMs);
    return () => {
      ended = true;
      window.clearTimeout(retry);
      window.clearInterval(refresh);
      socket?.close();
    };
  }, [watching]);

  const loadOlder = async (lane: string | undefined): Promise<void> => {
    const shown = state.events.filter((event) => lane === undefined || event.lane === lane);
    const oldest = shown.at(-1) ?? state.events.at(-1);
    const events = await fetchEvents({ limit: firstEvents, ...(lane === undefined ? {} : { lane }), ...(oldest === undefined ? {} : { before: oldest.seq }) });
    dispatch({ kind: 'older', events });
  };
  return { state, loadOlder };
}
