import { useEffect, useRef, useState } from 'preact/hooks';
import { leastShown, type SeenTrack } from './store.js';
import { useWords } from './language.js';

/** While a plate is followed the picture keeps up with it; an empty lane needs less. */
const busyEveryMs = 250;
const idleEveryMs = 1_000;
const missingEveryMs = 2_000;
/** A frame older than this no longer belongs to the picture. */
const trackFreshMs = 1_200;

interface Shown {
  readonly address: string;
  readonly takenAtMs: number;
}

/** Fetches the newest picture again and again while the page is looked at. */
function useNewestPicture(lane: string, busy: boolean): { readonly shown: Shown | undefined; readonly missing: boolean } {
  const [shown, setShown] = useState<Shown | undefined>(undefined);
  const [missing, setMissing] = useState(false);
  const everyMs = useRef(idleEveryMs);
  everyMs.current = busy ? busyEveryMs : idleEveryMs;
  useEffect(() => {
    let ended = false;
    let timer: number | undefined;
    let address: string | undefined;
    const replace = (next: string | undefined): void => {
      if (address !== undefined) URL.revokeObjectURL(address);
      address = next;
    };
    const load = async (): Promise<void> => {
      let waitMs = everyMs.current;
      const startedMs = performance.now();
      if (document.visibilityState === 'visible') {
        try {
          const response = await fetch(`/api/lanes/${encodeURIComponent(lane)}/photo.jpg`, { cache: 'no-store' });
          if (!response.ok) throw new Error(String(response.status));
          const next = URL.createObjectURL(await response.blob());
          // Decoded before it is shown, so that the picture never blinks.
          const image = new Image();
          image.src = next;
          await image.decode();
          if (ended) URL.revokeObjectURL(next);
          else {
            replace(next);
            setShown({ address: next, takenAtMs: startedMs });
            setMissing(false);
          }
        } catch {
          setMissing(true);
          waitMs = missingEveryMs;
        }
      }
      if (!ended) timer = window.setTimeout(() => void load(), Math.max(30, waitMs - (performance.now() - startedMs)));
    };
    void load();
    return () => {
      ended = true;
      window.clearTimeout(timer);
      replace(undefined);
    };
  }, [lane]);
  return { shown, missing };
}

/** The camera's newest picture with the frame of the plate that is followed in it. */
export function Picture({ lane, seen, visionAvailable }: { readonly lane: string; readonly seen: SeenTrack | undefined; readonly visionAvailable: boolean }) {
  const words = useWords();
  const [now, setNow] = useState(() => performance.now());
  useEffect(() => {
    const timer = window.setInterval(() => setNow(performance.now()), 500);
    return () => window.clearInterval(timer);
  }, []);
  const fresh = seen !== undefined && !seen.track.ended && Math.max(now, seen.seenAtMs) - seen.seenAtMs < trackFreshMs && (seen.track.vote?.confidence ?? 1) >= leastShown ? seen.track : undefined;
  const { shown, missing } = useNewestPicture(lane, fresh !== undefined);
  const stale = missing || !visionAvailable;
  const corners = fresh?.corners.map(([x, y]) => `${(x * 1600).toFixed(1)},${(y * 900).toFixed(1)}`).join(' ');
  const top = fresh === undefined ? 0 : Math.min(...fresh.corners.map(([, y]) => y));
  const left = fresh === undefined ? 0 : Math.min(...fresh.corners.map(([x]) => x));
  return (
    <div class={stale ? 'picture stale' : 'picture'}>
      {shown === undefined ? null : <img src={shown.address} alt="" />}
      {fresh === undefined || corners === undefined || stale ? null : (
        <svg class="overlay" viewBox="0 0 1600 900" preserveAspectRatio="none" aria-hidden="true">
          <polygon points={corners} class="frame-halo" />
          <polygon points={corners} class={`frame ${fresh.vote === undefined ? '' : 'read'}`} />
        </svg>
      )}
      {fresh?.vote === undefined || stale ? null : (
        <span class="frame-text" style={{ left: `${Math.max(1, Math.min(70, left * 100))}%`, top: `${Math.max(12, top * 100)}%` }}>
          {fresh.vote.text}
        </span>
      )}
      {stale ? (
        <div class="no-picture">
          <strong>{words.noPicture}</strong>
          <span>{words.noPictureWhy}</span>
        </div>
      ) : null}
    </div>
  );
}
