"""CI files read for one thing: which commands build and push images, and what stands around them.

A reader for each system (`jenkins`, `gitlab`, `github`) makes `steps`: shell text with its lines, its environment and
its place. `scripts` runs through them and `commands` knows builds and pushes; `recipes` weighs their Dockerfiles, and
`report` asks the rules.
"""
