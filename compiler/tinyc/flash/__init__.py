"""Flashing boards: a module for each way, chosen by the board's file and by what is plugged in."""

from tinyc.flash.job import TIMEOUT, Job, Method, Say
from tinyc.flash.log import DeploymentLog, JsonLines, Several, entry
from tinyc.flash.model import flash_model
from tinyc.flash.run import check, flash

__all__ = [
    "TIMEOUT",
    "DeploymentLog",
    "Job",
    "JsonLines",
    "Method",
    "Say",
    "Several",
    "check",
    "entry",
    "flash",
    "flash_model",
]
