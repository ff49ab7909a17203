import type { SessionData, StatusData } from '../messages.js';
import { useWords } from './language.js';
import type { Language } from './language.js';

export interface TopBarProps {
  readonly status: StatusData | undefined;
  readonly head: number;
  readonly session: SessionData | undefined;
  readonly dark: boolean;
  readonly onTheme: () => void;
  readonly language: Language;
  readonly onLanguage: (language: Language) => void;
  readonly onSignIn: () => void;
  readonly onSignOut: () => void;
}

type Light = 'good' | 'warn' | 'bad';

function Chip({ light, text }: { readonly light: Light; readonly text: string }) {
  return (
    <li class={`chip ${light}`}>
      <i aria-hidden="true" />
      {text}
    </li>
  );
}

/** How the gate itself is: reporting, recognition, cameras, devices, clock. */
function Health({ status, head }: { readonly status: StatusData; readonly head: number }) {
  const words = useWords();
  const { journal, uplink, vision } = status;
  const backlog = journal === undefined ? 0 : Math.max(0, Math.max(head, journal.head) - journal.acknowledged);
  const offline = uplink !== undefined && uplink.state !== 'connected' && uplink.state !== 'online' && uplink.state !== 'ok';
  const dark = vision?.cameras?.filter((camera) => camera.state !== 'live' && camera.state !== 'connecting').length ?? 0;
  const silent = status.devices?.filter((device) => device.state === 'lost').map((device) => device.id) ?? [];
  return (
    <ul class="health">
      {offline ? <Chip light="warn" text={words.topBar.offline} /> : null}
      {journal === undefined ? null : <Chip light={backlog === 0 ? 'good' : offline || backlog > 50 ? 'warn' : 'good'} text={backlog === 0 ? words.topBar.synced : words.topBar.waiting(backlog)} />}
      {vision === undefined ? null : (
        <Chip
          light={vision.state === 'ok' ? 'good' : vision.state === 'starting' ? 'warn' : 'bad'}
          text={vision.state === 'ok' ? words.topBar.visionOk : vision.state === 'starting' ? words.topBar.visionStarting : words.topBar.visionDown}
        />
      )}
      {dark > 0 ? <Chip light="bad" text={words.topBar.camera(dark)} /> : null}
      {silent.length > 0 ? <Chip light="bad" text={words.topBar.devices(silent.join(', '))} /> : null}
      {status.clockTrusted === false ? <Chip light="warn" text={status.clock?.backwards === true ? words.topBar.clockBackwards : words.topBar.clockUntrusted} /> : null}
      {status.clockTrusted !== false && status.clock?.health.state === 'degraded' ? <Chip light="warn" text={words.topBar.clockDrifts} /> : null}
    </ul>
  );
}

export function TopBar({ status, head, session, dark, onTheme, language, onLanguage, onSignIn, onSignOut }: TopBarProps) {
  const words = useWords();
  const other: Language = language === 'en' ? 'zh-CN' : 'en';
  return (
    <header class="top-bar">
      <img src="./icon.svg" alt="" width="36" height="36" />
      <h1>
        {status?.gate?.name ?? words.product}
        <small>{status?.site?.name ?? ''}</small>
      </h1>
      {status === undefined ? null : <Health status={status} head={head} />}
      <nav>
        <button type="button" class="plain" lang={other} onClick={() => onLanguage(other)}>
          {other === 'en' ? 'English' : '中文'}
        </button>
        <button type="button" class="plain" onClick={onTheme}>
          {dark ? words.topBar.light : words.topBar.dark}
        </button>
        {session === undefined ? null : session.signedIn ? (
          <button type="button" class="plain" onClick={onSignOut}>
            {words.topBar.signOut} <span class="account">{session.name}</span>
          </button>
        ) : (
          <button type="button" class="plain strong" onClick={onSignIn}>
            {words.topBar.signIn}
          </button>
        )}
      </nav>
    </header>
  );
}
