#!/usr/bin/env bash
# The testbed with Baton in it: a one-machine Kubernetes (NODES=3 for three), the images, the chart. Repeating it costs seconds.
source "$(dirname "${BASH_SOURCE[0]}")/cluster/env.sh"

"$REPO/e2e/cluster/cluster.sh" up
"$REPO/e2e/images/build.sh"
"$REPO/e2e/install.sh"
