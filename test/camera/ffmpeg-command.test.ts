import { describe, expect, it } from 'vitest';
import { redact } from '../../src/camera/index.js';
import { liveCommand } from '../../src/camera/ffmpeg-command.js';
import { explain } from '../../src/camera/ffmpeg-words.js';

describe('the password of a camera', () => {
  it('is never an argument of ffmpeg', () => {
    const command = liveCommand({ kind: 'rtsp', url: 'rtsp://10.0.0.7:554/h264', username: 'admin', password: "geh'eim/ @:%" }, 8);
    expect(command.args.join(' ')).not.toMatch(/geh|admin|10\.0\.0\.7/u);
    expect(command.stdin).toContain("file 'rtsp://admin:geh'\\''eim%2F%20%40%3A%25@10.0.0.7:554/h264'");
  });

  it('is never an argument either where a site wrote it into an http address', () => {
    const command = liveCommand({ kind: 'http', url: 'http://admin:geheim@10.0.0.7/stream.mjpeg' }, 8);
    expect(command.args.join(' ')).not.toContain('geheim');
  });

  it('cannot smuggle a line into the script', () => {
    expect(() => liveCommand({ kind: 'http', url: "http://x/'\nfile '/etc/shadow" }, 8)).toThrow(/CAMERA_SOURCE_INVALID/u);
  });

  it('is taken out of what ffmpeg says', () => {
    expect(redact("Impossible to open 'rtsp://admin:geheim@10.0.0.7/h264'")).toBe("Impossible to open 'rtsp://***@10.0.0.7/h264'");
    expect(explain(["[concat] Impossible to open 'rtsp://a:b@h/x'", 'pipe:0: Connection refused'])).toMatch(/^nothing listens at that address.*\*\*\*@/u);
  });
});
