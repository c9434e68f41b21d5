/* garner: gathers data over HTTP, leaves open tables behind. */

#include "config.h"

#include "cli/cli.h"

int
main(int argc, char **argv)
{

	return (cli_main(argc, argv));
}
