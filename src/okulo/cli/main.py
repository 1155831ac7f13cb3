"""`okulo`: finds the verb, and turns bad input into one clear line and exit code 2."""

import sys
from difflib import get_close_matches

import cyclopts

from okulo import __version__
from okulo.core.errors import BadInput

GROUPS = {
    "Data": {
        "sample": "Write a small real data set to try okulo with.",
        "scan": "Make a table of a folder of pictures, and say what is wrong with them.",
        "backbone": "Make a model file that embeds pictures, of a pretrained network.",
        "embed": "Add a vector for every picture to a table.",
        "dedup": "Group copies of one picture, and choose which to keep.",
        "audit": "Find wrong labels, outliers and suspicious pictures: a queue, the surest first.",
        "pick": "Choose the pictures to label next.",
        "review": "Decide on labels and duplicates in a browser, by keyboard.",
        "apply": "Write people's verdicts into a new table.",
    },
    "Models": {
        "train": "Train a network on a table.",
        "ablate": "Say what each trick of the training recipe brings on your data.",
        "evaluate": "Measure a model on a table and write a report page.",
        "threshold": "Choose below which confidence the answer is 'I don't know'.",
        "export": "Write a trained network as one checked model file.",
        "convert": "Make model files of other programs' networks.",
        "predict": "Answer for pictures with a model file.",
        "bench": "Measure latency and throughput honestly.",
    },
    "Serving": {
        "serve": "Serve model files over HTTP, batched, and well-behaved under load.",
        "work": "Work off jobs of many pictures, in another process or on another machine.",
        "deploy": "Write what Kubernetes needs to run the service, its stages scaled apart.",
    },
    "Search": {
        "index": "Make an index of pictures to search by likeness, and keep it.",
        "search": "Find the pictures of an index that are most like some.",
        "search-app": "Look for pictures like one in a browser, and say which fit.",
        "search-eval": "Measure how well an index finds what belongs together.",
    },
    "Applications": {
        "detect": "Find objects in pictures, videos and live streams.",
        "track": "Give every detection of a video the number of the object it shows.",
        "speed": "Measure the speed of every vehicle of a fixed camera's video.",
        "footprints": "Make regular building outlines of masks: GeoJSON, GeoPackage, Shapefile.",
        "series": "From a million short sensor recordings to named groups of faults.",
        "mesh": "Take the noise out of triangle meshes and keep their edges.",
    },
}
VERBS = {verb: help for verbs in GROUPS.values() for verb, help in verbs.items()}
"""Each verb lives in `okulo.cli.<verb>` and is imported when it is called, so that `okulo --help` is fast."""


def make_app() -> cyclopts.App:
    """Build the command line."""
    app = cyclopts.App(
        name="okulo",
        version=__version__,
        help="From a folder of images to a service that holds under load, and back.",
    )
    last = cyclopts.Group("Options", sort_key=len(GROUPS))
    for each in ("--help", "--version"):
        app[each].group = last
    for place, (title, verbs) in enumerate(GROUPS.items()):
        group = cyclopts.Group(title, sort_key=place)
        for rank, (verb, help) in enumerate(verbs.items()):
            word = verb.replace("-", "_")
            app.command(f"okulo.cli.{word}:{word}", name=verb, help=help, group=group, sort_key=rank)
    return app


def main() -> None:
    """Run the command line; exit code 0 for done, 2 for input that cannot be used."""
    verb = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if not verb.startswith("-") and verb not in VERBS:
        near = get_close_matches(verb, VERBS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else "`okulo --help` lists them"
        sys.stderr.write(f"okulo: {verb}: no such command; {hint}\n")
        sys.exit(2)
    try:
        sys.exit(make_app()(sys.argv[1:], exit_on_error=False, result_action="return_value"))
    except cyclopts.CycloptsError:  # it has printed what was wrong with the options
        sys.exit(2)
    except BadInput as error:  # the verb's own file could not be imported: an extra is missing
        sys.stderr.write(f"okulo: {error}\n")
        sys.exit(2)


if __name__ == "__main__":
    main()
