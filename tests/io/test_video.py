"""Videos: what is written is read again at its times; broken files are told apart."""

from pathlib import Path

import numpy as np
import pytest
from tests.outside import needs

from okulo.core.errors import BadInput
from okulo.io.video import open_video, write_video


def write(path: Path, times: list[float], size: tuple[int, int] = (96, 64)) -> list[np.ndarray]:
    pictures = []
    with write_video(path, width=size[0], height=size[1]) as writer:
        for k, t in enumerate(times):
            picture = np.full((size[1], size[0], 3), 40, np.uint8)
            picture[10:30, 5 + 4 * k : 25 + 4 * k] = (220, 60, 60)
            writer.write(picture, t)
            pictures.append(picture)
    return pictures


def test_frames_come_back_at_their_own_times(tmp_path: Path) -> None:
    times = [0.0, 0.04, 0.08, 0.2, 0.24, 0.5]  # frames were dropped
    pictures = write(tmp_path / "a.mp4", times)
    with open_video(tmp_path / "a.mp4") as video:
        assert (video.width, video.height) == (96, 64)
        frames = list(video.frames())
    np.testing.assert_allclose([frame.time_s for frame in frames], times, atol=1e-3)
    for frame, picture in zip(frames, pictures):
        assert np.abs(frame.image.astype(int) - picture).mean() < 8
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_frames_are_counted_where_the_clock_is_not_to_be_read(tmp_path: Path) -> None:
    write(tmp_path / "a.mp4", [0.0, 0.5, 3.0])
    with open_video(tmp_path / "a.mp4", fps=10) as video:
        assert [frame.time_s for frame in video.frames()] == [0.0, 0.1, 0.2]


def test_what_is_no_video_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video at all")
    (tmp_path / "empty.avi").write_bytes(b"")
    for name, says in (("text.mp4", "no video"), ("empty.avi", "no video"), ("gone.mp4", "does not exist")):
        with pytest.raises(BadInput, match=says), open_video(tmp_path / name):
            pass
    with pytest.raises(BadInput, match="is a folder"), open_video(tmp_path):
        pass


def test_a_video_cut_short_gives_what_is_whole(tmp_path: Path) -> None:
    av = needs("av")
    whole = tmp_path / "a.ts"
    with av.open(str(whole), "w", format="mpegts") as container:
        stream = container.add_stream("mpeg2video", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        rng = np.random.default_rng(0)
        for _ in range(30):
            noise = rng.integers(0, 255, (64, 96, 3)).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(noise, "rgb24")))
        container.mux(stream.encode())
    data = bytearray(whole.read_bytes())
    data[len(data) // 3 : len(data) // 2] = bytes(len(data) // 2 - len(data) // 3)
    (tmp_path / "b.ts").write_bytes(bytes(data[: len(data) * 3 // 4]))
    with open_video(tmp_path / "b.ts") as video:
        frames = list(video.frames())
    assert 3 <= len(frames) < 30
    (tmp_path / "c.ts").write_bytes(bytes(data[:188]))
    with pytest.raises(BadInput), open_video(tmp_path / "c.ts") as video:
        list(video.frames())


def test_nothing_is_left_where_writing_fails(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), write_video(tmp_path / "a.mp4", width=32, height=32) as writer:
        writer.write(np.zeros((32, 32, 3), np.uint8), 0.0)
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []
