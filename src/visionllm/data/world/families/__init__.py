"""Task families of the picture world, one module a group; `visionllm.data.world.tasks` finds them by folder."""
