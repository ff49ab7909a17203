import { describe, expect, it } from 'vitest';
import { rightsFaults } from '../../src/config/rights.js';

const base = { site: { id: 'laurel' }, uplink: { broker: { url: 'mqtts://a' }, commandKeys: [], remoteConfiguration: 'settings' } };

describe('a configuration from afar', () => {
  it.each(['settings', 'all'] as const)('cannot name a key that may sign commands (rights: %s): it is not signed itself', (rights) => {
    const wanted = { ...base, uplink: { ...base.uplink, commandKeys: [{ id: 'mine', publicKey: '11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=' }] } };
    expect(rightsFaults(base, wanted, rights)).toMatchObject([{ path: 'uplink.commandKeys', code: 'CONFIG_NOT_ALLOWED' }]);
    expect(rightsFaults(wanted, base, rights)).toMatchObject([{ path: 'uplink.commandKeys', code: 'CONFIG_NOT_ALLOWED' }]);
    expect(rightsFaults(base, { ...base, uplink: { ...base.uplink, broker: { url: 'mqtts://b' } } }, rights)).toEqual([]);
  });
});
