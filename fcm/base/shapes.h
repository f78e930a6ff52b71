// Shape letters that end tensor names: pixels_BLPD has shape [B, L, P, D].
//
//   B  images in the batch                   G  views: all, the kept ones, or those of one run
//   L  patches of an image, or slots: patch positions in ViewPlan order
//   K  slots the encoder sees (all of L, or those of the kept views)
//   k  patches of one view                   T  tokens of one sequence
//   P  cells of a patch at a stage           N  sequences (B times views)
//   C, D  channels, width                    H, W  rows and columns of an image or grid
#pragma once
