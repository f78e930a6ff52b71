// Letters that end the names of tensors, and what they count. pixels_BLPD is [B, L, P, D].
//
//   B  pictures in the batch                 G  views (groups of patches that see each other)
//   L  patches of a picture, or slots: places of patches in ViewPlan order
//   K  slots the encoder sees (all of L, or those of the kept views)
//   k  patches of one view                   T  tokens of one sequence
//   P  cells of a patch at a stage           N  sequences (B times views)
//   C, D  channels, width                    H, W  rows and columns of a picture or grid
#pragma once
