import { useState } from 'preact/hooks';
import type { LaneData, SignalData, WorldData } from '../messages.js';
import { Commands } from './commands.js';
import { findingWords } from '../words/finding.js';
import { attentionWords, word } from '../words/look-up.js';
import type { Words } from '../words/en.js';
import { useWords } from './language.js';
import { Picture } from './picture.js';
import { PlateView } from './plate-view.js';
import { Scene } from './scene.js';
import type { SeenTrack } from './store.js';

/** The state a guard reads from across the room: word and colour. */
function boomWord(lane: LaneData, words: Words): { readonly text: string; readonly tone: 'calm' | 'go' | 'moving' | 'bad' } {
  if (lane.fire) return { text: words.boom.fire, tone: 'bad' };
  if (lane.boom === 'fault' || lane.boom === 'unknown' || lane.boom === 'stopped') return { text: words.boom[lane.boom], tone: 'bad' };
  if (lane.held && lane.boom === 'open') return { text: words.boom.held, tone: 'go' };
  if (lane.boom === 'opening' || lane.boom === 'closing') return { text: words.boom[lane.boom], tone: 'moving' };
  return { text: words.boom[lane.boom], tone: lane.boom === 'open' ? 'go' : 'calm' };
}

function Sensor({ name, state }: { readonly name: string; readonly state: SignalData }) {
  const words = useWords();
  const states = name === 'approach' || name === 'closing' ? words.loopState : words.sensorState;
  return (
    <li class={`sensor ${state}`}>
      <i aria-hidden="true" />
      <span>{word(words.sensors, name)}</span>
      <b>{states[state]}</b>
    </li>
  );
}

function Passage({ lane }: { readonly lane: LaneData }) {
  const words = useWords();
  const { passage } = lane;
  if (passage === null) {
    return (
      <div class="passage empty">
        <p class="verdict">{words.laneEmpty}</p>
        <p class="why">{words.counts(lane.counts.passages, lane.counts.opened, lane.counts.refused)}</p>
      </div>
    );
  }
  const { plate, decision } = passage;
  const extras = [
    decision?.note,
    decision?.matched === 'look-alike' && typeof decision.listedPlate === 'string' ? words.lookAlike(decision.listedPlate) : undefined,
    typeof decision?.stayHours === 'number' ? words.stay(decision.stayHours) : undefined,
  ].filter((part) => typeof part === 'string' && part !== '');
  return (
    <div class={`passage ${decision?.outcome ?? 'pending'}`}>
      {plate === null ? <p class="unread">{decision === null ? words.noPlateYet : words.noPlate}</p> : <PlateView plate={plate} />}
      <div class="verdict-block">
        <p class="verdict">{decision === null ? word(words.phase, passage.phase) : words.outcome[decision.outcome]}</p>
        <p class="why">{decision === null ? null : [word(words.rules, decision.rule), ...extras].join(' · ')}</p>
        {decision === null ? null : <p class="phase">{word(words.phase, passage.phase)}</p>}
      </div>
    </div>
  );
}

export interface LaneCardProps {
  readonly lane: LaneData;
  readonly seen: SeenTrack | undefined;
  readonly world: WorldData | undefined;
  readonly mayOrder: boolean;
  readonly onSignIn: () => void;
}

/** One lane as a guard sees it: state, drawing, camera, who stands there and why, and the buttons. */
export function LaneCard({ lane, seen, world, mayOrder, onSignIn }: LaneCardProps) {
  const words = useWords();
  const [showSensors, setShowSensors] = useState(false);
  const { text, tone } = boomWord(lane, words);
  const sensors = Object.entries(lane.sensors);
  const quiet = ['openLimit', 'closedLimit', 'fire', 'stop', 'button'];
  const shown = sensors.filter(([name, state]) => showSensors || !quiet.includes(name) || state === 'unknown' || state === 'fault' || ((name === 'fire' || name === 'stop') && state === 'on'));
  return (
    <section class={`lane ${tone}`} aria-label={lane.name} data-lane={lane.lane}>
      <header>
        <span class={`way ${lane.direction}`} aria-hidden="true">
          <svg viewBox="0 0 24 24">
            <path d="M12 4v15M5.5 12.5 12 19l6.5-6.5" />
          </svg>
        </span>
        <h2>
          {lane.name}
          <small>{words.direction[lane.direction]}</small>
        </h2>
        <p class={`boom-word ${tone}`} role="status">
          {text}
        </p>
      </header>
      {lane.attention.length === 0 ? null : (
        <ul class="attention" role="alert">
          {lane.attention.map((code) => (
            <li key={code}>{attentionWords(code, words)}</li>
          ))}
        </ul>
      )}
      {lane.findings.length === 0 ? null : (
        <ul class="findings" aria-label={words.eventTypes['diagnosis.raised']}>
          {lane.findings.map((finding) => {
            const { what, todo } = findingWords(finding, words);
            return (
              <li key={`${finding.code} ${what}`}>
                <details>
                  <summary>{what}</summary>
                  <p>
                    <b>{words.whatToDo}</b> {todo}
                  </p>
                </details>
              </li>
            );
          })}
        </ul>
      )}
      <div class="stage">
        <Scene lane={lane} world={world} />
        <ul class="sensors" onClick={() => setShowSensors(!showSensors)}>
          {shown.map(([name, state]) => (
            <Sensor key={name} name={name} state={state} />
          ))}
          {shown.length < sensors.length || showSensors ? (
            <li>
              <button type="button" class="more" aria-expanded={showSensors} aria-label={showSensors ? '−' : '+'}>
                {showSensors ? '−' : `+${sensors.length - shown.length}`}
              </button>
            </li>
          ) : null}
        </ul>
      </div>
      <div class="who">
        <Picture lane={lane.lane} seen={seen} visionAvailable={lane.visionAvailable} />
        <Passage lane={lane} />
      </div>
      <Commands lane={lane} mayOrder={mayOrder} onSignIn={onSignIn} />
    </section>
  );
}
