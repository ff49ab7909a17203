#!/usr/bin/python3
"""A camera for tests: H.264 over RTSP (TCP only) with digest sign-in, served by gst-rtsp-server on 127.0.0.1.

  rtsp-server.py --source FILE|lavfi:GRAPH [--loop] [--port N] [--path /live] [--size WxH]

The user and password come from RTSP_USER and RTSP_PASSWORD, never from the argument list, so that a test may search
every argument list of the machine for them. Without RTSP_USER anybody may watch. Prints one JSON line
{"port": …, "url": "rtsp://127.0.0.1:…/live"} when it listens. The first viewer starts the source from its beginning,
the last one leaving stops it.
"""

import argparse
import json
import os
import signal
import subprocess
import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402


def encoder_command(source: str, loop: bool, size: str | None) -> list[str]:
    """ffmpeg that plays `source` in real time as H.264 in MPEG-TS to its standard output."""
    command = ["ffmpeg", "-nostdin", "-loglevel", "error", "-re"]
    if source.startswith("lavfi:"):
        command += ["-f", "lavfi", "-i", source.removeprefix("lavfi:")]
        copy = False
    else:
        command += (["-stream_loop", "-1"] if loop else []) + ["-i", source]
        copy = size is None
    if copy:
        command += ["-map", "0:v:0", "-c:v", "copy"]
    else:
        if size is not None:
            command += ["-vf", "scale=" + size.replace("x", ":")]
        command += ["-map", "0:v:0", "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-pix_fmt", "yuv420p",
                    "-g", "15", "-threads", "1"]
    return command + ["-an", "-f", "mpegts", "-muxdelay", "0", "-muxpreload", "0", "pipe:1"]


class CameraFactory(GstRtspServer.RTSPMediaFactory):
    """One shared media: all viewers see the same running source."""

    def __init__(self, command: list[str]):
        super().__init__()
        self.command = command
        self.player = None
        self.set_shared(True)
        self.set_protocols(GstRtsp.RTSPLowerTrans.TCP)
        self.set_latency(0)

    def do_create_element(self, _url):
        self.stop_player()
        self.player = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        return Gst.parse_launch(
            f"( fdsrc fd={self.player.stdout.fileno()} do-timestamp=false ! tsdemux latency=50 ! h264parse config-interval=-1 "
            "! rtph264pay name=pay0 pt=96 config-interval=1 )"
        )

    def do_configure(self, media):
        media.connect("unprepared", lambda _media: self.stop_player())
        GstRtspServer.RTSPMediaFactory.do_configure(self, media)

    def stop_player(self):
        if self.player is not None:
            self.player.kill()
            self.player.wait()
            self.player = None


def require_sign_in(server: GstRtspServer.RTSPServer, factory: GstRtspServer.RTSPMediaFactory, user: str, password: str) -> None:
    auth = GstRtspServer.RTSPAuth()
    auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
    token = GstRtspServer.RTSPToken()
    token.set_string(GstRtspServer.RTSP_TOKEN_MEDIA_FACTORY_ROLE, "viewer")
    auth.add_digest(user, password, token)
    server.set_auth(auth)
    permissions = GstRtspServer.RTSPPermissions()
    permissions.add_permission_for_role("viewer", GstRtspServer.RTSP_PERM_MEDIA_FACTORY_ACCESS, True)
    permissions.add_permission_for_role("viewer", GstRtspServer.RTSP_PERM_MEDIA_FACTORY_CONSTRUCT, True)
    factory.set_permissions(permissions)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", required=True)
    parser.add_argument("--loop", action="store_true")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--path", default="/live")
    parser.add_argument("--size")
    options = parser.parse_args()

    Gst.init(None)
    loop = GLib.MainLoop()
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(str(options.port))
    factory = CameraFactory(encoder_command(options.source, options.loop, options.size))
    if os.environ.get("RTSP_USER"):
        require_sign_in(server, factory, os.environ["RTSP_USER"], os.environ.get("RTSP_PASSWORD", ""))
    server.get_mount_points().add_factory(options.path, factory)
    if server.attach(None) == 0:
        sys.exit(f"port {options.port} is taken")
    port = server.get_bound_port()
    print(json.dumps({"port": port, "url": f"rtsp://127.0.0.1:{port}{options.path}"}), flush=True)

    def stop(*_args):
        factory.stop_player()
        loop.quit()

    for number in (signal.SIGTERM, signal.SIGINT):
        GLib.unix_signal_add(GLib.PRIORITY_HIGH, number, stop)
    # the test that started it is gone: so is its reason to run
    GLib.timeout_add(500, lambda: stop() or False if os.getppid() == 1 else True)
    loop.run()


main()
