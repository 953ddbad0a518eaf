"""Splits a final stage that builds its application: what builds stays, what runs gets a stage of its own.

Everything up to the last command that handles the build's results stays as the author wrote it. The new final stage
stands on the same image, or on the JDK below a Maven or Gradle image, and gets what the container promises (user,
working directory, variables, ports ...), what prepares it for running (packages, users, directories), the files
beside the jar that no build needs, and the jar itself, copied to the very path it had. So the start command, health
checks and orders from outside the image go on working, and the other rules see an ordinary file of two stages.

What a RUN does is only repeated or left out where it is understood; otherwise the file stays as it is.
"""

from imgopt.plans.splitting.carried import CarriedBuild, carried_builds
from imgopt.plans.splitting.plan import SplittingPlan, plan, splits_first

__all__ = ["CarriedBuild", "SplittingPlan", "carried_builds", "plan", "splits_first"]
