"""Mistakes of a study's pool and of the numbers of frames that are taken from it."""

import math

from minset.config.registries import registry


def held_out_runs(study: dict) -> list[str]:
    """Names of the pool's runs that serve the test set alone."""
    temperatures = study["test"].get("temperatures_K", [])
    return [
        r["name"]
        for r in pool_runs(study["pool"])
        if r.get("temperature_K", [None])[0] in temperatures
    ]


def pool_runs(pool: dict) -> list[dict]:
    """Runs of a pool as its generator plans them."""
    return registry("generators")[pool["generator"]].plan(pool)


def pool_mistakes(study: dict) -> list[str]:
    """Frames between time steps, test runs that are not there, and sizes that the pool cannot serve."""
    pool = study["pool"]
    mistakes = _spacing_mistakes(pool)
    for temperature in study["test"].get("temperatures_K", []):
        if temperature not in pool.get("temperatures_K", []):
            mistakes.append(
                f"test.temperatures_K: {temperature:g} K is not among pool.temperatures_K, whose runs "
                "serve the test alone when named here"
            )
    try:
        return mistakes + _size_mistakes(study)
    except (
        OSError,
        ValueError,
    ) as error:  # of a generator that looks at files, which begin with the key
        return [*mistakes, f"pool.{error}"]


def pool_mistakes_of_system(pool: dict, system: dict) -> list[str]:
    """What the generator finds wrong with the pool in view of a system."""
    record = registry("generators")[pool["generator"]]
    return [f"pool.{mistake}" for mistake in record.mistakes(pool, system)]


def _spacing_mistakes(pool: dict) -> list[str]:
    """Frames of MD runs that are closer than a time step or between two."""
    if not {"frames", "duration_ps", "timestep_fs"} <= set(pool):
        return []
    frames = pool["frames"]
    steps = pool["duration_ps"] * 1000 / pool["timestep_fs"] / frames
    if steps < 1:
        return [
            f"pool.frames: {frames} frames in {pool['duration_ps']:g} ps are closer than one time "
            f"step; lengthen pool.duration_ps"
        ]
    if abs(steps - round(steps)) > 1e-6:
        whole_ps = math.ceil(steps) * frames * pool["timestep_fs"] / 1000
        return [
            f"pool.frames: {frames} frames in {pool['duration_ps']:g} ps are {steps:.2f} time steps "
            f"apart, which must be a whole number; {whole_ps:g} ps would do"
        ]
    return []


def _size_mistakes(study: dict) -> list[str]:
    """Sizes beyond the frames that are left; none where the generator cannot know their number."""
    apart = held_out_runs(study)
    left = [run for run in pool_runs(study["pool"]) if run["name"] not in apart]
    if not all("frames" in run for run in left):
        return []
    free = sum(run["frames"] for run in left) - study["validation"]["frames"]
    if not apart:
        free -= study["test"]["frames"]
    each = f" of {len(left)} runs" if len(left) + len(apart) > 1 else ""
    return [
        f"sizes: {size} frames cannot be selected from {free} (pool.frames{each} less test "
        f"and validation); raise pool.frames"
        for size in study["sizes"]
        if size > free
    ]
