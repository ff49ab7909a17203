import { useState } from 'preact/hooks';
import type { SessionData } from '../messages.js';
import { Refusal, signIn } from './client.js';
import { useWords } from './language.js';

export interface SignInProps {
  readonly session: SessionData;
  readonly onSignedIn: (session: SessionData) => void;
  /** Given where the page may also be watched without signing in. */
  readonly onBack: (() => void) | undefined;
}

/** Name and password; the first time a code from the console and a new password. */
export function SignIn({ session, onSignedIn, onBack }: SignInProps) {
  const words = useWords();
  const [byCode, setByCode] = useState(session.firstSignIn);
  const [name, setName] = useState(session.firstSignIn ? 'guard' : '');
  const [password, setPassword] = useState('');
  const [code, setCode] = useState('');
  const [busy, setBusy] = useState(false);
  const [fault, setFault] = useState('');
  const submit = async (): Promise<void> => {
    setBusy(true);
    setFault('');
    try {
      onSignedIn(await signIn(byCode ? { name, password, code } : { name, password }));
    } catch (cause) {
      setFault(cause instanceof Refusal ? (cause.code === 'HTTP_TOO_MANY_REQUESTS' ? (words.errors[cause.code] ?? cause.message) : cause.message) : String(cause));
    } finally {
      setBusy(false);
    }
  };
  return (
    <main class="sign-in">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        <img src="./icon.svg" alt="" width="56" height="56" />
        <h1>{session.firstSignIn ? words.signIn.firstTitle : words.signIn.title}</h1>
        {byCode ? <p class="help">{session.firstSignIn ? words.signIn.firstHelp : words.signIn.codeHelp}</p> : null}
        {byCode ? (
          <label>
            <span>{words.signIn.code}</span>
            <input name="code" class="code" required value={code} placeholder="K7QF-3MWP" maxLength={12} autocomplete="one-time-code" autoCapitalize="characters" spellcheck={false} onInput={(event) => setCode(event.currentTarget.value)} />
          </label>
        ) : null}
        <label>
          <span>{words.signIn.name}</span>
          <input name="name" required value={name} maxLength={32} autocomplete="username" autoCapitalize="none" spellcheck={false} onInput={(event) => setName(event.currentTarget.value)} />
        </label>
        <label>
          <span>{byCode ? words.signIn.newPassword : words.signIn.password}</span>
          <input name="password" type="password" required minLength={byCode ? 8 : 1} maxLength={256} value={password} autocomplete={byCode ? 'new-password' : 'current-password'} onInput={(event) => setPassword(event.currentTarget.value)} />
        </label>
        <p class="fault" role="alert">
          {fault}
        </p>
        <button type="submit" class="order open" disabled={busy}>
          {busy ? words.signIn.busy : byCode ? words.signIn.setPassword : words.signIn.submit}
        </button>
        {session.firstSignIn ? null : (
          <button type="button" class="link" onClick={() => setByCode(!byCode)}>
            {byCode ? words.signIn.havePassword : words.signIn.haveCode}
          </button>
        )}
        {onBack === undefined ? null : (
          <button type="button" class="link" onClick={onBack}>
            {words.signIn.back}
          </button>
        )}
      </form>
    </main>
  );
}
