import { GateError, errorText } from '../base/index.js';
import { reasonText } from './reason-codes.js';
import type { BrokerSettings } from './types.js';

/** What the settings are called where whoever reads the fault can change them. */
export interface FaultWords {
  readonly who: string;
  readonly clock: string;
  readonly url: string;
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
  /** The broker's reason code, with what to do. */
  readonly refusal: (code: number) => string;
}

const GATE: FaultWords = { who: 'this gate', clock: "check the gate's clock first (gatectl status)", url: 'uplink.broker.url', ca: 'uplink.broker.ca', certificate: 'uplink.broker.certificate', key: 'uplink.broker.key', refusal: reasonText };

type Say = (words: FaultWords) => string;

const wantsCertificate: Say = ({ certificate, key }) => `the broker wants a client certificate that it knows; set ${certificate} and ${key}, signed by the CA that the broker trusts`;

/** What OpenSSL and Node call it, what it means to whoever connects. */
const TLS: readonly (readonly [RegExp, Say])[] = [
  [/^(?:SELF_SIGNED_CERT_IN_CHAIN|DEPTH_ZERO_SELF_SIGNED_CERT|UNABLE_TO_VERIFY_LEAF_SIGNATURE|UNABLE_TO_GET_ISSUER_CERT(?:_LOCALLY)?|CERT_SIGNATURE_FAILURE|CERT_UNTRUSTED)$/u, ({ who, ca }) => `the broker's certificate is not signed by an authority ${who} knows; write the broker's CA into ${ca}`],
  [/^ERR_TLS_CERT_ALTNAME_INVALID$/u, ({ url }) => `the broker's certificate is for another name; write the name it was made for into ${url}, or have a certificate made for this one`],
  [/^CERT_HAS_EXPIRED$/u, ({ clock }) => `the broker's certificate has expired; ${clock}, then have the certificate renewed`],
  [/^CERT_NOT_YET_VALID$/u, ({ clock }) => `the broker's certificate is not valid yet; ${clock}`],
  [/^CERT_REVOKED$/u, () => "the broker's certificate was revoked; ask the broker's keeper"],
  [/ALERT_CERTIFICATE_EXPIRED$/u, ({ who, clock, certificate }) => `${who}'s certificate has expired; ${clock}, then have a new one made for ${certificate}`],
  [/ALERT_CERTIFICATE_REVOKED$/u, ({ who, certificate }) => `${who}'s certificate was revoked; have a new one made for ${certificate}`],
  [/ALERT_(?:CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE)$/u, wantsCertificate],
  [/ALERT_(?:UNKNOWN_CA|BAD_CERTIFICATE|CERTIFICATE_UNKNOWN|ACCESS_DENIED|DECRYPT_ERROR)$/u, (words) => `the broker does not accept ${words.who}'s certificate: ${wantsCertificate(words)}`],
  [/ALERT_PROTOCOL_VERSION$|UNSUPPORTED_PROTOCOL$|VERSION_TOO_LOW$/u, ({ who }) => `the broker offers no TLS 1.2 or newer, which ${who} asks for; renew the broker`],
  [/WRONG_VERSION_NUMBER$|PACKET_LENGTH_TOO_LONG$|HTTP_REQUEST$/u, ({ url }) => `there is no TLS at this port; check the port in ${url}, which is 8883 at most brokers`],
  [/KEY_VALUES_MISMATCH$/u, ({ certificate, key }) => `${key} does not belong to ${certificate}; take both from the same order`],
  [/PEM|DECODER|ASN1|BAD_BASE64|UNSUPPORTED$/u, ({ ca, certificate, key }) => `${ca}, ${certificate} or ${key} is no PEM file; it has to begin with -----BEGIN`],
];

const SOCKET: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there; is the broker running, is the port right?',
  ENOTFOUND: 'there is no such name; check how it is written and the name server',
  EAI_AGAIN: 'the name cannot be looked up; check the network and the name server',
  ETIMEDOUT: 'no answer; check the network and the firewall',
  EHOSTUNREACH: 'no way there; check the network',
  ENETUNREACH: 'no way there; check the network',
  ECONNRESET: 'the other end cut the line; check the firewall, whether this is the port of the broker, and whether TLS belongs there (mqtts, not mqtt)',
  EPIPE: 'the other end cut the line',
};

const WORDS: Readonly<Record<string, string>> = {
  'connack timeout': 'it did not answer in time; is this the port of an MQTT broker?',
  'Keepalive timeout': 'the line went dead',
};

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

/** In the middle of a handshake Node gives the bare system error, with OpenSSL's own line as its text: `error:NUMBER:SSL routines:FUNCTION:REASON:…`. */
function sslCodeOf(error: unknown): string | undefined {
  if (codeOf(error) !== 'EPROTO') return undefined;
  const reason = /:SSL routines:[^:]*:([^:]+):/u.exec(errorText(error))?.[1];
  return reason === undefined ? undefined : `ERR_SSL_${reason.toUpperCase().replaceAll(' ', '_')}`;
}

/** The reason code MQTT.js hangs on its errors. */
export function reasonCodeOf(error: unknown): number | undefined {
  const code = codeOf(error);
  return typeof code === 'number' ? code : undefined;
}

/** Why a broker could not be had, as BROKER_REFUSED, BROKER_TLS or BROKER_UNREACHABLE, with what to do, in the words of whoever connects. */
export function brokerFault(cause: unknown, { url, ca, certificate }: BrokerSettings, words: FaultWords = GATE): GateError {
  if (cause instanceof GateError) return cause;
  const code = sslCodeOf(cause) ?? codeOf(cause);
  if (typeof code === 'number') return new GateError('BROKER_REFUSED', `${url}: the broker says ${words.refusal(code)}`, { url, reasonCode: code }, cause);
  const text = errorText(cause) || (cause instanceof AggregateError ? cause.errors.map(errorText).join('; ') : 'no answer');
  if (typeof code === 'string') {
    const path = cause instanceof Error && 'path' in cause ? cause.path : undefined;
    if (typeof path === 'string' && (path === ca || path === certificate)) {
      return new GateError('BROKER_TLS', `${url}: ${path} cannot be read (${code}); put the certificate there, readable for the service`, { url, cause: code }, cause);
    }
    const tls = TLS.find(([pattern]) => pattern.test(code));
    if (tls !== undefined) return new GateError('BROKER_TLS', `${url}: ${tls[1](words)} (${code})`, { url, cause: code }, cause);
    return new GateError('BROKER_UNREACHABLE', `${url}: ${SOCKET[code] ?? text} (${code})`, { url, cause: code }, cause);
  }
  return new GateError('BROKER_UNREACHABLE', `${url}: ${WORDS[text] ?? text}`, { url }, cause);
}
