import { useCallback, useEffect, useState } from 'preact/hooks';
import type { SessionData } from '../messages.js';
import { fetchSession, signOut } from './client.js';
import { EventsList } from './events-list.js';
import { firstLanguage, keepLanguage, LanguageContext, wordsOf } from './language.js';
import { LaneCard } from './lane-card.js';
import { SignIn } from './sign-in.js';
import { useGate } from './store.js';
import { TopBar } from './top-bar.js';

const themeKey = 'laurel.theme';

function firstDark(): boolean {
  const kept = localStorage.getItem(themeKey);
  return kept === null ? window.matchMedia('(prefers-color-scheme: dark)').matches : kept === 'dark';
}

/** Asks who this browser is, again and again until the gate answers. */
function useSession(): readonly [SessionData | undefined, (session: SessionData) => void] {
  const [session, setSession] = useState<SessionData | undefined>(undefined);
  useEffect(() => {
    if (session !== undefined) return undefined;
    let timer: number | undefined;
    const ask = (): void => {
      fetchSession().then(setSession, () => {
        timer = window.setTimeout(ask, 2_000);
      });
    };
    ask();
    return () => window.clearTimeout(timer);
  }, [session === undefined]);
  return [session, setSession];
}

export function App() {
  const [language, setLanguage] = useState(firstLanguage);
  const [dark, setDark] = useState(firstDark);
  const [session, setSession] = useSession();
  const [signingIn, setSigningIn] = useState(false);
  useEffect(() => keepLanguage(language), [language]);
  useEffect(() => {
    document.documentElement.dataset['theme'] = dark ? 'dark' : 'light';
  }, [dark]);

  const askAgain = useCallback(() => {
    fetchSession().then(setSession, () => undefined);
  }, []);
  const watching = session !== undefined && (session.signedIn || session.openView);
  const { state, loadOlder } = useGate(watching, askAgain);
  const words = wordsOf(language);
  useEffect(() => {
    document.title = state.status?.gate === undefined ? '月桂 Laurel Gate' : `${state.status.gate.name} · 月桂 Laurel Gate`;
  }, [state.status?.gate?.name]);

  const theme = (): void => {
    localStorage.setItem(themeKey, dark ? 'light' : 'dark');
    setDark(!dark);
  };
  const leave = (): void => {
    signOut().then(setSession, askAgain);
  };
  const showSignIn = session !== undefined && !session.signedIn && (signingIn || !session.openView);
  const newest = state.events[0]?.seq ?? 0;
  const acknowledged = state.status?.journal?.acknowledged;
  return (
    <LanguageContext.Provider value={{ language, words }}>
      <TopBar
        status={watching ? state.status : undefined}
        head={newest}
        session={session}
        dark={dark}
        onTheme={theme}
        language={language}
        onLanguage={setLanguage}
        onSignIn={() => setSigningIn(true)}
        onSignOut={leave}
      />
      {watching && state.connection === 'lost' ? (
        <p class="banner bad" role="alert">
          {words.connection.lost}
        </p>
      ) : null}
      {session?.openView === true && !session.signedIn && !showSignIn ? <p class="banner">{words.openView}</p> : null}
      {showSignIn ? (
        <SignIn
          session={session}
          onSignedIn={(fresh) => {
            setSession(fresh);
            setSigningIn(false);
          }}
          onBack={session.openView ? () => setSigningIn(false) : undefined}
        />
      ) : session === undefined || state.connection === 'loading' ? (
        <p class="loading">{words.connection.loading}</p>
      ) : (
        <main class={state.connection === 'lost' ? 'gate lost' : 'gate'}>
          <div class="lanes">
            {state.lanes.map((lane) => (
              <LaneCard
                key={lane.lane}
                lane={lane}
                seen={state.tracks[lane.lane]}
                world={state.worlds[lane.lane]}
                mayOrder={session.signedIn}
                onSignIn={() => setSigningIn(true)}
              />
            ))}
          </div>
          <EventsList events={state.events} lanes={state.lanes} acknowledged={acknowledged} onOlder={loadOlder} />
        </main>
      )}
    </LanguageContext.Provider>
  );
}
