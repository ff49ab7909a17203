import { describe, expect, it } from 'vitest';
import { DEFAULT_FAIL_STATE } from '../../src/lane/settings.js';
import { lastWill, watchOf } from '../../src/lane/index.js';
import { Bench, type Site } from './fixtures.js';

const softwareDeath = (death: 'release' | 'open'): NonNullable<Site['barrier']> => ({ failState: { ...DEFAULT_FAIL_STATE, softwareDeath: death } });

function bench(options: Site = {}): Bench {
  return new Bench({ ...options, sensors: ['openLimit', 'closedLimit', 'fire', 'stop', 'button'] }).ready({ closedLimit: 'on' });
}

/** A person opens, nobody comes, and the boom is on its way down. */
function closing(options: Site = {}): Bench {
  const lane = bench(options).on('button').off('button').pass(1_000).off('closedLimit').pass(2_500).on('openLimit').pass(15_100).off('openLimit').pass(700);
  expect(lane.boom).toBe('closing');
  return lane;
}

const will = (lane: Bench): string => lastWill(lane.state);
const watch = (lane: Bench): string => watchOf(lane.state);

describe('the last will of a lane', () => {
  it('of a boom at rest is to release everything, and there is time to make sure', () => {
    const lane = bench();
    expect(will(lane)).toBe('release');
    expect(watch(lane)).toBe('calm');
  });

  it('while the open contact is driven is to release it, soon', () => {
    const lane = bench().on('button').pass(20);
    expect(lane.drives.at(-1)).toBe('open pulse');
    expect(will(lane)).toBe('release');
    expect(watch(lane)).toBe('driven');
  });

  it('of a boom that goes down by the close contact is to raise it, long after the pulse is over', () => {
    const lane = closing();
    expect(lane.state.boom.contacts.close.mode).toBe('off');
    expect(will(lane)).toBe('raise');
    expect(watch(lane)).toBe('lowering');
    lane.pass(2_000).on('closedLimit');
    expect(will(lane)).toBe('release');
  });

  it('is to raise before the close contact is driven: the record of the closing is awaited', () => {
    const lane = bench().on('button').off('button').pass(1_000).off('closedLimit').pass(2_500).on('openLimit');
    lane.journalAnswers = false;
    lane.pass(15_020);
    expect(lane.drives).not.toContain('close pulse');
    expect(lane.state.boom.pending?.direction).toBe('down');
    expect(will(lane)).toBe('raise');
  });

  it('raises in any case where the site says so, and opens for fire', () => {
    expect(will(bench({ barrier: softwareDeath('open') }))).toBe('raise');
    expect(will(bench().on('fire'))).toBe('raise');
    expect(will(bench({ barrier: { closing: 'barrier-closes' } }).on('fire'))).toBe('hold');
  });

  it('under STOP moves nothing; only a boom that cannot be stopped is raised rather than left to fall', () => {
    expect(will(bench({ barrier: softwareDeath('open') }).on('stop'))).toBe('release');
    expect(will(bench({ stopWired: true }).on('fire').on('stop'))).toBe('release');
    expect(will(closing({ stopWired: true }).on('stop'))).toBe('release');
    expect(will(closing().on('stop'))).toBe('raise');
  });

  it('of a boom that is up only while the contact is on is to hold it, also under STOP', () => {
    const lane = bench({ barrier: { drive: 'hold-to-open', close: undefined, ...softwareDeath('open') } }).on('button').off('button').pass(1_000);
    expect(lane.drives).toContain('open hold');
    expect(will(lane)).toBe('hold');
    expect(will(lane.on('stop'))).toBe('hold');
  });

  it('of a barrier with a loop of its own is to let it close by itself', () => {
    const lane = bench({ barrier: { closing: 'barrier-closes', drive: 'hold-to-open' } }).on('button').off('button').pass(1_000);
    expect(will(lane)).toBe('release');
  });
});
