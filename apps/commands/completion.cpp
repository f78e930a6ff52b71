#include "apps/completion.h"

#include <nlohmann/json.hpp>

#include "apps/commands/commands.h"

namespace fcm::apps::commands {

Action completion(Flags& flags) {
  const auto shell = std::make_shared<std::string>();
  flags.describe("Print a shell script that completes commands, flags and their values",
                 "To install it for every new shell:\n"
                 "  fastconvmae completion bash > ~/.local/share/bash-completion/completions/"
                 "fastconvmae\n"
                 "  fastconvmae completion zsh > ~/.zfunc/_fastconvmae    # fpath+=~/.zfunc before "
                 "compinit\n"
                 "  fastconvmae completion fish > ~/.config/fish/completions/fastconvmae.fish");
  flags.add_choice("shell", *shell, {"bash", "zsh", "fish"}, "The shell").required();
  return [shell](const Output& output) {
    const std::string script = *shell == "bash"  ? bash_completion()
                               : *shell == "zsh" ? zsh_completion()
                                                 : fish_completion();
    return output.print({{"shell", *shell}, {"script", script}}, script);
  };
}

}  // namespace fcm::apps::commands
