"""CI files read for one thing: which commands build and push images, and what stands around them.

A reader for each system (`jenkins`, `gitlab`, `github`) makes `steps`: shell text with its lines, its environment and
its place. `commands` finds builds and pushes in them, `report` weighs their Dockerfiles and asks the rules.
"""
